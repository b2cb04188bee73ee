"""What is served as one folder: its format, how it is built, fetched and found on this machine."""
