"""Read and write the canonical capture folder: `capture.json`, `rgb/`, `depth/`, `confidence/`."""
