"""Assess the quality of a capture before it is processed: camera convention, coverage, drift and sharpness."""
