"""Bodies: what acts in a world."""
