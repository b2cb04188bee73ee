"""Every YAML key: its schema, how files are read, which preset is taken, and the page that lists them."""
