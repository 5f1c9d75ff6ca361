"""Reconstruct one segmented object as an interactive asset.

In: a capture and one segment. Out: an `Asset`: watertight visual mesh, texture, convex collision pieces, mass and
friction intervals.
"""
