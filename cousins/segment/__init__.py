"""Segment a capture into fixed planes and separate objects.

In: a `Capture`. Out: a `Segmentation`: fixed planes, and objects as masks by frame and points in the world. One
segmenter per file in `backends/`, one namer per file in `namers/`.
"""
