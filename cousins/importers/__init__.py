"""Importers of untrusted files as assets and scenes.

In: meshes, URDF, MJCF and layout scans by anyone, untrusted. Out: `Asset` and `Scene` values with collision pieces and
mass intervals, or an `InputError` with the problem and a hint.
"""
