"""A look as USD: distant lights, a dome for the light from everywhere, and a camera. Knows pxr."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from pxr import Gf, Usd, UsdGeom, UsdLux

from cousins.geometry import Array, rotation_about
from cousins.rounding import format_number
from cousins.scene.looks import Light, Look
from cousins.scene.usd.prims import set_pose

LOOK_PATH: Final = "/World/Look"
"""Scope of lights and camera."""
APERTURE_WIDTH: Final = 36.0
"""Width of the camera's film in USD's tenths of a unit; only its ratio to the focal length shows."""
_OPENGL_FROM_OPENCV: Final = np.diag([1.0, -1.0, -1.0])
"""From USD's camera axes, x right, y up, z back, to ours."""


def add_look(stage: Usd.Stage, look: Look) -> None:
    """Define lights and camera; a light of intensity 1 shows a white surface that faces it as white."""
    UsdGeom.Scope.Define(stage, LOOK_PATH)
    stage.GetPrimAtPath(LOOK_PATH).SetCustomDataByKey("cousins:background", Gf.Vec3f(*look.background))
    stops = _float(math.log2(look.exposure)) if look.exposure > 0.0 else None
    for index, light in enumerate(look.lights):
        distant_light = UsdLux.DistantLight.Define(stage, f"{LOOK_PATH}/light_{index}")
        distant_light.CreateNormalizeAttr(True)  # noqa: FBT003
        _set_light(distant_light, light.color, math.pi * light.intensity, stops)
        set_pose(distant_light.GetPrim(), _light_pose(light))
    dome = UsdLux.DomeLight.Define(stage, f"{LOOK_PATH}/ambient")
    _set_light(dome, (1.0, 1.0, 1.0), look.ambient, stops)
    if look.camera is not None:
        _add_camera(stage, look)


def _set_light(
    prim: UsdLux.DistantLight | UsdLux.DomeLight, color: tuple[float, ...], strength: float, stops: float | None
) -> None:
    prim.CreateColorAttr(Gf.Vec3f(*(_float(value) for value in color)))
    prim.CreateIntensityAttr(0.0 if stops is None else _float(strength))
    prim.CreateExposureAttr(stops or 0.0)


def _light_pose(light: Light) -> Array:
    """Return the pose of a lamp, which shines along its own -z."""
    back = -np.asarray(light.direction) / np.linalg.norm(light.direction)
    axis = np.cross([0.0, 0.0, 1.0], back)
    pose = np.eye(4)
    angle = math.atan2(float(np.linalg.norm(axis)), float(back[2]))
    if angle > 1e-9:
        pose[:3, :3] = rotation_about(axis if np.linalg.norm(axis) > 1e-9 else np.array([1.0, 0.0, 0.0]), angle)
    return pose


def _add_camera(stage: Usd.Stage, look: Look) -> None:
    intrinsics = look.camera
    assert intrinsics is not None
    focal_length = intrinsics.fx / intrinsics.width * APERTURE_WIDTH
    camera = UsdGeom.Camera.Define(stage, f"{LOOK_PATH}/camera")
    camera.CreateFocalLengthAttr(_float(focal_length))
    camera.CreateHorizontalApertureAttr(APERTURE_WIDTH)
    camera.CreateVerticalApertureAttr(_float(intrinsics.height / intrinsics.fy * focal_length))
    camera.CreateHorizontalApertureOffsetAttr(
        _float(((intrinsics.width - 1) / 2 - intrinsics.cx) / intrinsics.fx * focal_length)
    )
    camera.CreateVerticalApertureOffsetAttr(
        _float((intrinsics.cy - (intrinsics.height - 1) / 2) / intrinsics.fy * focal_length)
    )
    camera.CreateClippingRangeAttr(Gf.Vec2f(0.01, 100.0))
    pose = np.array(look.world_from_camera)
    pose[:3, :3] = pose[:3, :3] @ _OPENGL_FROM_OPENCV
    set_pose(camera.GetPrim(), pose)
    camera.GetPrim().SetCustomDataByKey("cousins:size_px", Gf.Vec2i(intrinsics.width, intrinsics.height))


def _float(value: float) -> float:
    return float(format_number(float(value)))
