"""What the apps on top of Apple's ARKit share: camera and world axes.

ARKit's camera looks along -z with y up (as OpenGL's), its world has y up along gravity. ARKit's intrinsics count
from the centre of the top left pixel, as ours: in 3D Scanner App's exports projectionMatrix[0][2] equals
1 - 2(cx + ½)/w to the last digit.
"""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array

GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])
"""Turns OpenCV camera axes (y down, z forward) into OpenGL's (y up, z backward); its own inverse."""
Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""Turns a y-up world into a z-up one: (x, y, z) becomes (x, -z, y)."""


def world_from_camera_of_arkit(world_from_camera_gl: Array) -> Array:
    """Return our pose of an ARKit camera-to-world matrix, float64 [4, 4]."""
    return np.asarray(Z_UP_FROM_Y_UP @ world_from_camera_gl @ GL_FROM_CV)
