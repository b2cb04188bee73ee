"""What joins training and search: tuning on validation, comparison with production, zero-shot baselines."""
