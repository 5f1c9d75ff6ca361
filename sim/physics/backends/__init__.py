"""One back-end a file; its file name is its public name."""
