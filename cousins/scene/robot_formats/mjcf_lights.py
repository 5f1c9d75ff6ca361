"""A look as MJCF: distant lights, the headlight as light from everywhere, and a camera."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final

import numpy as np

from cousins.rounding import format_lengths, format_number, format_numbers, format_quaternion
from cousins.scene.looks import Light, Look

LIGHT_DISTANCE_M: Final = 5.0
"""How far from the origin a distant light is put [m]; only its direction shows."""
PIXEL_SIZE_M: Final = 1e-5
"""Side of a pixel on the camera's sensor [m]; only ratios show."""
_OPENGL_FROM_OPENCV: Final = np.diag([1.0, -1.0, -1.0])
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
    attributes = {
        "name": f"look__light_{index}",
        "type": "directional",
        "pos": format_lengths(-LIGHT_DISTANCE_M * direction),
        "dir": format_numbers(np.round(direction, 7) + 0.0),
        "ambient": "0 0 0",
        "diffuse": _rgb(light.color, light.intensity * exposure),
        "specular": "0 0 0",
        "castshadow": "true",
    }
    ET.SubElement(world, "light", attributes)


def _add_camera(world: ET.Element, look: Look) -> None:
    """Add the camera; MuJoCo's principal pixel moves the image against ours, as its frustum shows."""
    camera = look.camera
    assert camera is not None
    pose = np.array(look.world_from_camera)
    shift = np.array([(camera.width - 1) / 2 - camera.cx, (camera.height - 1) / 2 - camera.cy])
    attributes = {
        "name": "look__camera",
        "pos": format_lengths(pose[:3, 3]),
        "quat": format_quaternion(pose[:3, :3] @ _OPENGL_FROM_OPENCV),
        "resolution": f"{camera.width} {camera.height}",
        "sensorsize": f"{format_number(camera.width * PIXEL_SIZE_M)} {format_number(camera.height * PIXEL_SIZE_M)}",
        "focalpixel": f"{format_number(camera.fx)} {format_number(camera.fy)}",
        "principalpixel": format_numbers(shift),
    }
    ET.SubElement(world, "camera", attributes)


def _rgb(color: tuple[float, ...], strength: float) -> str:
    return format_numbers(np.clip(np.asarray(color) * strength, 0.0, 1.0))
