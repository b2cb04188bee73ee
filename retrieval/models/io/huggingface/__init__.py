"""Model folders of other libraries: whatever in them changes vectors or scores is honoured or refused by name."""
