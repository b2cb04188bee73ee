"""Steps from a source of law to a split dataset."""
