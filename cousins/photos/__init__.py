"""Photos and films without depth: decoding and structure from motion, in child processes that may fail."""
