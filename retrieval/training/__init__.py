"""One training loop for both models, its batches, its checkpoints and what decides the best epoch."""
