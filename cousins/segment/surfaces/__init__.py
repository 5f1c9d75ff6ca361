"""Convert depth to oriented surfaces.

In: one depth view or many posed ones. Out: points with normals and neighbours, ready to be segmented.
"""
