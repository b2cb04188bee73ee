"""Evaluation: metrics, reranker metrics, significance, gates, TREC runs, plots and reports."""
