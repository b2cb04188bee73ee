"""Pictures of panels: pure functions from series to SVG."""
