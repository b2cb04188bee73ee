"""Steps that train models and prepare their training."""
