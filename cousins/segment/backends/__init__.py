"""Segmentation back-ends: one file each, whose name is the public name of the back-end."""
