"""Pipelines on Airflow: the DAG, what a task runs, the code frozen for it, and a check with a real Airflow."""
