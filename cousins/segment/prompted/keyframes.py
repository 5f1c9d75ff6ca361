"""Which frames a dear model looks at: those with colour, spread over where the camera was."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture, Frame

TURN_M = 0.5
"""Distance that turning the camera by one radian counts as [m]: about the distance to what is filmed."""


def keyframes(capture: Capture, *, most: int) -> tuple[Frame, ...]:
    """Return at most so many frames with colour, farthest from each other in place and direction, in time order."""
    colored = [frame for frame in capture.frames if frame.color_path is not None]
    if len(colored) <= most:
        return tuple(colored)
    poses = np.array([frame.world_from_camera for frame in colored])
    places = np.concatenate([poses[:, :3, 3], TURN_M * poses[:, :3, 2]], axis=1)
    chosen = [0]
    away = np.linalg.norm(places - places[0], axis=1)
    while len(chosen) < most:
        chosen.append(int(np.argmax(away)))
        away = np.minimum(away, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return tuple(colored[n] for n in sorted(chosen))
