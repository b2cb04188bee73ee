"""What running services tell about themselves: metrics and cost."""
