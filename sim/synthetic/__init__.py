"""The simulated phone and the scenes that it films. Nothing here steps physics.

In: a scene of textured meshes and a camera path. Out: a capture as an iPhone would export it, with the full truth.
"""
