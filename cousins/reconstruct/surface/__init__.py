"""Reconstruct the closed surface of one object from its views.

In: depth observations of one segment. Out: a signed distance field (negative inside), completed where no view observed,
and its watertight mesh.
"""
