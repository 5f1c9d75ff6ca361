"""From the views of one object to its closed surface.

In: depth observations of one segment. Out: a signed distance field (negative inside), completed where no view looked,
and its watertight mesh.
"""
