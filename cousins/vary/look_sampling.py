"""Sample lights, camera and exposure of a cousin."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array, Intrinsics, look_at, rotation_about
from cousins.scene.layout.collision_bodies import scene_bodies
from cousins.scene.looks import Light, Look
from cousins.scene.scenes import Scene
from cousins.vary.recipes import LookRange

DEFAULT_CAMERA: Final = Intrinsics(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
"""Camera of a scene without one: 56° horizontal field of view."""
VIEW_DISTANCE_BOX_SIZES: Final = 1.25
"""Distance of that camera from the objects, in diagonals of their bounding box."""


def scene_look(scene: Scene) -> Look:
    """Return the look of a scene; a scene without one gets a default camera in front of its free objects."""
    if scene.look is not None:
        return scene.look
    bodies = scene_bodies(scene)
    visible_bodies = [bodies[placed.asset.name] for placed in scene.objects if not placed.fixed]
    visible_bodies = visible_bodies or [bodies[placed.asset.name] for placed in scene.objects] or list(bodies.values())
    low = np.min([body.box.low for body in visible_bodies], axis=0)
    high = np.max([body.box.high for body in visible_bodies], axis=0)
    middle = (low + high) / 2.0
    reach = max(float(np.linalg.norm(high - low)), 0.3) * VIEW_DISTANCE_BOX_SIZES
    eye = middle + reach * np.array([0.0, -0.8, 0.6])
    return Look(camera=DEFAULT_CAMERA, world_from_camera=_rows(look_at(eye, middle)))


def sample_look(twin_look: Look, ranges: LookRange, amount: float, rng: np.random.Generator) -> Look:
    """Return a look between that of the twin (`amount` 0) and one sampled from the full ranges (1)."""

    def blend(neutral: float, sampled: float) -> float:
        return round(float(neutral + amount * (sampled - neutral)), 6)

    count = max(1, round(blend(float(len(twin_look.lights)), ranges.lights.at_quantile(rng.uniform()))))
    lights = []
    for index in range(count):
        twin_light = twin_look.lights[min(index, len(twin_look.lights) - 1)]
        azimuth, elevation = rng.uniform(-np.pi, np.pi), ranges.elevation_rad.at_quantile(rng.uniform())
        target = -np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        blended = (1.0 - amount) * np.array(twin_light.direction) + amount * target
        blended[2] = min(blended[2], -0.1)
        direction = blended / np.linalg.norm(blended)
        warmth = blend(0.0, ranges.warmth.at_quantile(rng.uniform()))
        intensity = ranges.intensity.at_quantile(rng.uniform()) / (1.0 if index == 0 else 2.0)
        strength = blend(
            twin_light.intensity if index < len(twin_look.lights) else 0.5 * twin_light.intensity, intensity
        )
        lights.append(
            Light(
                direction=_three(direction),
                color=_three(np.clip(np.array(twin_light.color) * [1.0 + warmth, 1.0, 1.0 - warmth], 0.0, 1.0)),
                intensity=strength,
            )
        )
    gray = np.array([ranges.background.at_quantile(rng.uniform())] * 3) * (1.0 + 0.1 * rng.uniform(-1.0, 1.0, 3))
    background = (1.0 - amount) * np.array(twin_look.background) + amount * np.clip(gray, 0.0, 1.0)
    camera, pose = _camera(twin_look, ranges, amount, rng)
    return Look(
        lights=tuple(lights),
        ambient=blend(twin_look.ambient, ranges.ambient.at_quantile(rng.uniform())),
        exposure=blend(twin_look.exposure, ranges.exposure.at_quantile(rng.uniform())),
        background=_three(background),
        camera=camera,
        world_from_camera=pose,
    )


def _camera(
    twin_look: Look, ranges: LookRange, amount: float, rng: np.random.Generator
) -> tuple[Intrinsics | None, tuple[tuple[float, ...], ...]]:
    shift = amount * np.array([ranges.camera_shift_m.at_quantile(rng.uniform()) for _ in range(3)])
    turns = amount * np.array([ranges.camera_turn_rad.at_quantile(rng.uniform()) for _ in range(3)])
    zoom = ranges.focal.at_quantile(rng.uniform()) ** amount
    if twin_look.camera is None or not twin_look.world_from_camera:
        return twin_look.camera, twin_look.world_from_camera
    pose = np.array(twin_look.world_from_camera)
    for axis, turn in zip(np.eye(3), turns, strict=True):
        pose[:3, :3] = pose[:3, :3] @ rotation_about(axis, float(turn))
    pose[:3, 3] += shift
    camera = Intrinsics(
        width=twin_look.camera.width,
        height=twin_look.camera.height,
        fx=round(twin_look.camera.fx * zoom, 4),
        fy=round(twin_look.camera.fy * zoom, 4),
        cx=twin_look.camera.cx,
        cy=twin_look.camera.cy,
    )
    return camera, _rows(pose)


def _rows(pose: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 9) + 0.0 for value in row) for row in pose)


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 6) + 0.0 for value in values)
    return x, y, z
