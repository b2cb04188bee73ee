"""The transformer below both models: its layers, attention, pooling, and fast inference on processors."""
