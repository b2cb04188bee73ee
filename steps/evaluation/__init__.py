"""Steps that measure models and write reports."""
