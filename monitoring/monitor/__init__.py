"""Watching on this machine by one command: Prometheus, Alertmanager, Pushgateway and the page, wired to services."""
