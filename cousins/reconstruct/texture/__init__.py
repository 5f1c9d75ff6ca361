"""Bake textures of a mesh from the frames that observed it.

In: a mesh and its capture. Out: a texture atlas, baked from the sharpest views and filled where no view observed.
"""
