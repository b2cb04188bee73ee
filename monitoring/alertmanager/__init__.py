"""Alertmanager's configuration: who is told of which alert, and what the message looks like on a phone."""
