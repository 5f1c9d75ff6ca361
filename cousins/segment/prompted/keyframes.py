"""Select keyframes for an expensive model: frames with colour, spread over the camera's path."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture, Frame

METRES_PER_RADIAN = 0.5
"""Distance that a rotation of the camera by one radian counts as [m]: about the distance to the scene."""


def select_keyframes(capture: Capture, *, max_count: int) -> tuple[Frame, ...]:
    """Return at most `max_count` frames with colour, farthest from each other in place and direction, in time order."""
    colored = [frame for frame in capture.frames if frame.color_path is not None]
    if len(colored) <= max_count:
        return tuple(colored)
    poses = np.array([frame.world_from_camera for frame in colored])
    view_points = np.concatenate([poses[:, :3, 3], METRES_PER_RADIAN * poses[:, :3, 2]], axis=1)
    selected = [0]
    distances = np.linalg.norm(view_points - view_points[0], axis=1)
    while len(selected) < max_count:
        selected.append(int(np.argmax(distances)))
        distances = np.minimum(distances, np.linalg.norm(view_points - view_points[selected[-1]], axis=1))
    return tuple(colored[n] for n in sorted(selected))
