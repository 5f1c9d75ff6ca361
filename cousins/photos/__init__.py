"""Photos and films without depth: decoded, their cameras found, in child processes that may fail."""
