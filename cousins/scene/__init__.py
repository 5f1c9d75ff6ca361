"""Assets to a scene in OpenUSD, URDF and MJCF.

In: placed assets and fixed structure. Out: a `Scene` with relations, its folder on disk, and a digest of it.
"""
