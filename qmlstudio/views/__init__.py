"""One module per panel. Views know the store and their widgets, never each other."""
