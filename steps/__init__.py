"""ZenML steps: each is one library call with its metadata and its return."""
