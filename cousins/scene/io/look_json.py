"""A look as JSON: lights, exposure, background and camera."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from cousins.geometry import Intrinsics
from cousins.rounding import format_number
from cousins.scene.io.strict_json import Node
from cousins.scene.looks import Light, Look

MAX_LIGHTS: Final = 16
"""Most lights of a look."""
MAX_INTENSITY: Final = 100.0
"""Strongest light, and largest exposure."""
MAX_IMAGE_SIDE_PX: Final = 16384
"""Widest and highest image of a camera [px]."""
DIRECTION_DIGITS: Final = 9
"""Decimals of a unit direction and of a rotation matrix."""


def look_record(look: Look) -> dict[str, Any]:
    """Return a look as JSON values with rounded numbers."""
    record: dict[str, Any] = {
        "lights": [
            {
                "direction": _round_directions(light.direction),
                "color": [_round(value) for value in light.color],
                "intensity": _round(light.intensity),
            }
            for light in look.lights
        ],
        "ambient": _round(look.ambient),
        "exposure": _round(look.exposure),
        "background": [_round(value) for value in look.background],
    }
    camera = look.camera
    if camera is not None:
        numbers = {key: _round(getattr(camera, key)) for key in ("fx", "fy", "cx", "cy")}
        record["camera"] = {"width": camera.width, "height": camera.height, **numbers}
        record["world_from_camera"] = [_round_directions(row) for row in look.world_from_camera]
    return record


def read_look(node: Node) -> Look:
    """Return the look of a JSON value; raises `SceneError` where it is invalid."""
    lights = node["lights"].items()
    if len(lights) > MAX_LIGHTS:
        raise node["lights"].error(f"at most {MAX_LIGHTS} lights")
    camera = _read_camera(node["camera"]) if node.has("camera") else None
    return Look(
        lights=tuple(_read_light(light) for light in lights),
        ambient=node["ambient"].number(low=0.0, high=MAX_INTENSITY),
        exposure=node["exposure"].number(low=0.0, high=MAX_INTENSITY),
        background=_read_color(node["background"]),
        camera=camera,
        world_from_camera=() if camera is None else _read_pose(node["world_from_camera"]),
    )


def rounded_look(look: Look) -> Look:
    """Return the look as `read_look` returns it after it was written."""
    return read_look(Node(value=look_record(look), path="look"))


def _read_light(node: Node) -> Light:
    direction = node["direction"].array(3)
    if abs(float(np.linalg.norm(direction)) - 1.0) > 1e-3:
        raise node["direction"].error("a unit direction")
    x, y, z = direction.tolist()
    return Light(
        direction=(x, y, z),
        color=_read_color(node["color"]),
        intensity=node["intensity"].number(low=0.0, high=MAX_INTENSITY),
    )


def _read_color(node: Node) -> tuple[float, float, float]:
    red, green, blue = node.array(3).tolist()
    if not all(0.0 <= value <= 1.0 for value in (red, green, blue)):
        raise node.error("three numbers from 0 to 1")
    return red, green, blue


def _read_camera(node: Node) -> Intrinsics:
    return Intrinsics(
        width=node["width"].integer(low=1, high=MAX_IMAGE_SIDE_PX),
        height=node["height"].integer(low=1, high=MAX_IMAGE_SIDE_PX),
        fx=node["fx"].number(low=1e-3),
        fy=node["fy"].number(low=1e-3),
        cx=node["cx"].number(),
        cy=node["cy"].number(),
    )


def _read_pose(node: Node) -> tuple[tuple[float, ...], ...]:
    pose = node.array(4, 4)
    rotation = pose[:3, :3]
    rigid = np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-6 and np.linalg.det(rotation) > 0.0
    if not rigid or np.any(pose[3] != [0.0, 0.0, 0.0, 1.0]):
        raise node.error("a rigid 4×4 pose")
    return tuple(tuple(row) for row in pose.tolist())


def _round_directions(values: tuple[float, ...]) -> list[float]:
    """Return components of a unit vector or a row of a pose, rounded to `DIRECTION_DIGITS`; idempotent."""
    rounded: list[float] = (np.round(np.asarray(values, dtype=np.float64), DIRECTION_DIGITS) + 0.0).tolist()
    return rounded


def _round(value: float) -> float:
    return float(format_number(value))
