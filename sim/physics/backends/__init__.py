"""Physics engines, one per file; the file name is the engine's public name."""
