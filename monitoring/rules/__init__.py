"""Prometheus's recording and alerting rules, made of ``monitoring/slo.yaml``, and their unit tests for promtool."""
