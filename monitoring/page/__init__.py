"""A page that draws the dashboards from Prometheus as SVG, without Grafana; for who operates the services."""
