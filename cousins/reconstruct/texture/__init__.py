"""Textures of a mesh from the frames that saw it.

In: a mesh and its capture. Out: a texture atlas, baked from the sharpest views and filled where no view saw.
"""
