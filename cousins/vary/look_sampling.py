"""Light, camera and exposure drawn anew."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array, Intrinsics, look_at, rotation_about
from cousins.scene.layout.collision_bodies import bodies_of
from cousins.scene.looks import Light, Look
from cousins.scene.scenes import Scene
from cousins.vary.recipes import LookRange

CAMERA: Final = Intrinsics(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
"""Camera of a scene that brings none: 56° wide."""
VIEW_DISTANCE: Final = 1.25
"""Distance of that camera from the objects, in sizes of their box."""


def look_of(scene: Scene) -> Look:
    """Return how a scene is lit and seen; one that does not say gets a camera in front of its free objects."""
    if scene.look is not None:
        return scene.look
    bodies = bodies_of(scene)
    shown = [bodies[placed.asset.name] for placed in scene.objects if not placed.fixed]
    shown = shown or [bodies[placed.asset.name] for placed in scene.objects] or list(bodies.values())
    low = np.min([body.box.low for body in shown], axis=0)
    high = np.max([body.box.high for body in shown], axis=0)
    middle = (low + high) / 2.0
    reach = max(float(np.linalg.norm(high - low)), 0.3) * VIEW_DISTANCE
    eye = middle + reach * np.array([0.0, -0.8, 0.6])
    return Look(camera=CAMERA, world_from_camera=_rows(look_at(eye, middle)))


def draw_look(home: Look, ranges: LookRange, amount: float, rng: np.random.Generator) -> Look:
    """Return a look between the twin's (`amount` 0) and one drawn from the whole ranges (1)."""

    def near(neutral: float, drawn: float) -> float:
        return round(float(neutral + amount * (drawn - neutral)), 6)

    count = max(1, round(near(float(len(home.lights)), ranges.lights.at(rng.uniform()))))
    lights = []
    for index in range(count):
        first = home.lights[min(index, len(home.lights) - 1)]
        azimuth, elevation = rng.uniform(-np.pi, np.pi), ranges.elevation_rad.at(rng.uniform())
        wanted = -np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        mixed = (1.0 - amount) * np.array(first.direction) + amount * wanted
        mixed[2] = min(mixed[2], -0.1)
        direction = mixed / np.linalg.norm(mixed)
        warmth = near(0.0, ranges.warmth.at(rng.uniform()))
        drawn = ranges.intensity.at(rng.uniform()) / (1.0 if index == 0 else 2.0)
        strength = near(first.intensity if index < len(home.lights) else 0.5 * first.intensity, drawn)
        lights.append(
            Light(
                direction=_three(direction),
                color=_three(np.clip(np.array(first.color) * [1.0 + warmth, 1.0, 1.0 - warmth], 0.0, 1.0)),
                intensity=strength,
            )
        )
    gray = np.array([ranges.background.at(rng.uniform())] * 3) * (1.0 + 0.1 * rng.uniform(-1.0, 1.0, 3))
    background = (1.0 - amount) * np.array(home.background) + amount * np.clip(gray, 0.0, 1.0)
    camera, pose = _camera(home, ranges, amount, rng)
    return Look(
        lights=tuple(lights),
        ambient=near(home.ambient, ranges.ambient.at(rng.uniform())),
        exposure=near(home.exposure, ranges.exposure.at(rng.uniform())),
        background=_three(background),
        camera=camera,
        world_from_camera=pose,
    )


def _camera(
    home: Look, ranges: LookRange, amount: float, rng: np.random.Generator
) -> tuple[Intrinsics | None, tuple[tuple[float, ...], ...]]:
    shift = amount * np.array([ranges.camera_shift_m.at(rng.uniform()) for _ in range(3)])
    turns = amount * np.array([ranges.camera_turn_rad.at(rng.uniform()) for _ in range(3)])
    zoom = ranges.focal.at(rng.uniform()) ** amount
    if home.camera is None or not home.world_from_camera:
        return home.camera, home.world_from_camera
    pose = np.array(home.world_from_camera)
    for axis, turn in zip(np.eye(3), turns, strict=True):
        pose[:3, :3] = pose[:3, :3] @ rotation_about(axis, float(turn))
    pose[:3, 3] += shift
    camera = Intrinsics(
        width=home.camera.width,
        height=home.camera.height,
        fx=round(home.camera.fx * zoom, 4),
        fy=round(home.camera.fy * zoom, 4),
        cx=home.camera.cx,
        cy=home.camera.cy,
    )
    return camera, _rows(pose)


def _rows(pose: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 9) + 0.0 for value in row) for row in pose)


def _three(values: Array) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 6) + 0.0 for value in values)
    return x, y, z
