"""Alerters: where a run posts what became of it."""
