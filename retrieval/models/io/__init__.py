"""Model folders read and written: ours, other libraries', and the encoder that comes in a package."""
