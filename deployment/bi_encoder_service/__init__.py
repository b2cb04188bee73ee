"""The bi-encoder as a service of its own."""
