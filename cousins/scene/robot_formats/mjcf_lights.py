"""A look as MJCF: distant lights, the headlight as light from everywhere, and a camera."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

import numpy as np

from cousins.scene.io.rounding import lengths, number, numbers, quaternion
from cousins.scene.looks import Light, Look

LAMP_M: Final = 5.0
"""How far from the origin a distant light is put [m]; only its direction shows."""
PIXEL_M: Final = 1e-5
"""Side of a pixel on the camera's sensor [m]; only ratios show."""
_FLIP: Final = np.diag([1.0, -1.0, -1.0])
"""From MuJoCo's camera axes, x right, y up, z back, to ours."""


def add_look(root: ET.Element, world: ET.Element, look: Look) -> None:
    """Add lights and camera; strengths above 1 are cut, as MuJoCo's own renderer cuts them."""
    visual = ET.SubElement(root, "visual")
    ambient = _rgb((1.0, 1.0, 1.0), look.ambient * look.exposure)
    ET.SubElement(visual, "headlight", ambient=ambient, diffuse="0 0 0", specular="0 0 0", active="1")
    for index, light in enumerate(look.lights):
        _add_light(world, light, index, look.exposure)
    if look.camera is not None:
        _add_camera(world, look)


def _add_light(world: ET.Element, light: Light, index: int, exposure: float) -> None:
    direction = np.asarray(light.direction)
    values = {
        "name": f"look__light_{index}",
        "type": "directional",
        "pos": lengths(-LAMP_M * direction),
        "dir": numbers(np.round(direction, 7) + 0.0),
        "ambient": "0 0 0",
        "diffuse": _rgb(light.color, light.intensity * exposure),
        "specular": "0 0 0",
        "castshadow": "true",
    }
    ET.SubElement(world, "light", values)


def _add_camera(world: ET.Element, look: Look) -> None:
    """Add the camera; MuJoCo's principal pixel moves the image against ours, as its frustum shows."""
    view = look.camera
    assert view is not None
    pose = np.array(look.world_from_camera)
    shift = np.array([(view.width - 1) / 2 - view.cx, (view.height - 1) / 2 - view.cy])
    values = {
        "name": "look__camera",
        "pos": lengths(pose[:3, 3]),
        "quat": quaternion(pose[:3, :3] @ _FLIP),
        "resolution": f"{view.width} {view.height}",
        "sensorsize": f"{number(view.width * PIXEL_M)} {number(view.height * PIXEL_M)}",
        "focalpixel": f"{number(view.fx)} {number(view.fy)}",
        "principalpixel": numbers(shift),
    }
    ET.SubElement(world, "camera", values)


def _rgb(color: tuple[float, ...], strength: float) -> str:
    return numbers(np.clip(np.asarray(color) * strength, 0.0, 1.0))
