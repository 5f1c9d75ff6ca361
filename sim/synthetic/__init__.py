"""A simulated phone and scenes for it; no physics.

Input: a scene of textured meshes and a camera path. Output: a capture as an iPhone would export it, with ground truth.
"""
