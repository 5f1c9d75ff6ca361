"""From a capture to its separate objects."""
