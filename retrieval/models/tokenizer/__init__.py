"""From text to token ids, the same way in training and in serving."""
