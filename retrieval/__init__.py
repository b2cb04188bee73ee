"""The library: law text to vectors to ranking, without any platform."""
