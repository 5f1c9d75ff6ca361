"""Convex collision pieces of a watertight mesh.

In: a mesh. Out: primitives where they fit, one hull where that is enough, else an approximate convex decomposition.
"""
