"""Engines behind one protocol.

In: a `Scene`. Out: poses, velocities, joints and contacts while it is stepped. One engine per file in `backends/`.
"""
