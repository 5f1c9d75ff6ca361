"""Radiance-field back-ends: one file each, whose name is the public name of the back-end.

Each has a frozen `Config` and a `build(config)` that answers the `Reconstructor` protocol of
`cousins.reconstruct.reconstructor`.
"""
