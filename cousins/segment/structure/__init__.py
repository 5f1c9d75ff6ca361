"""Detect the fixed planes of a capture.

In: posed depth. Out: planes (floor, raised supports, walls) with outlines, and the real ground above them.
"""
