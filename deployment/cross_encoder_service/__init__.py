"""The cross-encoder as a service of its own."""
