"""Camera and world axes of apps based on Apple's ARKit.

ARKit's camera looks along -z with y up (as OpenGL's), its world has y up along gravity. ARKit's intrinsics count
from the centre of the top left pixel, as ours: in 3D Scanner App's exports projectionMatrix[0][2] equals
1 - 2(cx + ½)/w to the last digit.
"""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array

GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])
"""Converts OpenCV camera axes (y down, z forward) to OpenGL's (y up, z backward), [4, 4]; its own inverse."""
Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""Converts a y-up world to a z-up one, [4, 4]: (x, y, z) becomes (x, -z, y)."""


def world_from_camera_from_arkit(world_from_camera_gl: Array) -> Array:
    """Return `world_from_camera` (z up, OpenCV axes), float64 [4, 4], of an ARKit camera-to-world matrix [4, 4]."""
    return np.asarray(Z_UP_FROM_Y_UP @ world_from_camera_gl @ GL_FROM_CV)
