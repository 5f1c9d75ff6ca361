"""A look as USD: distant lights, a dome for the light from everywhere, and a camera. Knows pxr."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pxr import Gf, Usd, UsdGeom, UsdLux

from cousins.geometry import Array, rotation_about
from cousins.scene.io.rounding import number
from cousins.scene.looks import Light, Look
from cousins.scene.usd.prims import place

PATH: Final = "/World/Look"
"""Scope of lights and camera."""
APERTURE: Final = 36.0
"""Width of the camera's film in USD's tenths of a unit; only its ratio to the focal length shows."""
_FLIP: Final = np.diag([1.0, -1.0, -1.0])
"""From USD's camera axes, x right, y up, z back, to ours."""


def add_look(stage: Usd.Stage, look: Look) -> None:
    """Define lights and camera; a light of intensity 1 shows a white surface that faces it as white."""
    UsdGeom.Scope.Define(stage, PATH)
    stage.GetPrimAtPath(PATH).SetCustomDataByKey("cousins:background", Gf.Vec3f(*look.background))
    stops = _float(math.log2(look.exposure)) if look.exposure > 0.0 else None
    for index, light in enumerate(look.lights):
        lamp = UsdLux.DistantLight.Define(stage, f"{PATH}/light_{index}")
        lamp.CreateNormalizeAttr(True)  # noqa: FBT003
        _set_light(lamp, light.color, math.pi * light.intensity, stops)
        place(lamp.GetPrim(), _shining(light))
    dome = UsdLux.DomeLight.Define(stage, f"{PATH}/ambient")
    _set_light(dome, (1.0, 1.0, 1.0), look.ambient, stops)
    if look.camera is not None:
        _add_camera(stage, look)


def _set_light(
    lamp: UsdLux.DistantLight | UsdLux.DomeLight, color: tuple[float, ...], strength: float, stops: float | None
) -> None:
    lamp.CreateColorAttr(Gf.Vec3f(*(_float(value) for value in color)))
    lamp.CreateIntensityAttr(0.0 if stops is None else _float(strength))
    lamp.CreateExposureAttr(stops or 0.0)


def _shining(light: Light) -> Array:
    """Return the pose of a lamp, which shines along its own -z."""
    back = -np.asarray(light.direction) / np.linalg.norm(light.direction)
    axis = np.cross([0.0, 0.0, 1.0], back)
    pose = np.eye(4)
    angle = math.atan2(float(np.linalg.norm(axis)), float(back[2]))
    if angle > 1e-9:
        pose[:3, :3] = rotation_about(axis if np.linalg.norm(axis) > 1e-9 else np.array([1.0, 0.0, 0.0]), angle)
    return pose


def _add_camera(stage: Usd.Stage, look: Look) -> None:
    view = look.camera
    assert view is not None
    focal = view.fx / view.width * APERTURE
    camera = UsdGeom.Camera.Define(stage, f"{PATH}/camera")
    camera.CreateFocalLengthAttr(_float(focal))
    camera.CreateHorizontalApertureAttr(APERTURE)
    camera.CreateVerticalApertureAttr(_float(view.height / view.fy * focal))
    camera.CreateHorizontalApertureOffsetAttr(_float(((view.width - 1) / 2 - view.cx) / view.fx * focal))
    camera.CreateVerticalApertureOffsetAttr(_float((view.cy - (view.height - 1) / 2) / view.fy * focal))
    camera.CreateClippingRangeAttr(Gf.Vec2f(0.01, 100.0))
    pose = np.array(look.world_from_camera)
    pose[:3, :3] = pose[:3, :3] @ _FLIP
    place(camera.GetPrim(), pose)
    camera.GetPrim().SetCustomDataByKey("cousins:size_px", Gf.Vec2i(view.width, view.height))


def _float(value: float) -> float:
    return float(number(float(value)))
