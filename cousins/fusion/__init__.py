"""Fuse posed depth frames into one surface: pose refinement and sparse signed-distance volumes."""
