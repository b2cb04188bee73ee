"""Pipelines: which step feeds which, and what a run leaves on the screen."""
