"""Engines that step batches of worlds, one per file."""
