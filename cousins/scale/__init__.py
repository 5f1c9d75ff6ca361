"""Metric scale of a capture, measured by printed tags and typed distances."""
