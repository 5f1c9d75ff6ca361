"""What a camera sees of a rollout, drawn from its record by our own renderer.

Pictures are drawn after the fact: poses at each step are on record, so whoever wants none pays for none. No shadows
fall and light is white: these are pictures to look at and to learn shapes from, not photographs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Final, Protocol

import numpy as np

from cousins.errors import UnknownNameError
from cousins.geometry import (
    Array,
    Intrinsics,
    invert,
    look_at,
    rigid,
    rotation_about,
    rotation_from_quat_wxyz,
    transform,
)
from cousins.meshes import Mesh
from cousins.raster import Light, Look, Raster, look_of, render, shade
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Task
from sim.envs.vector_env import CousinsVectorEnv
from sim.recording.rollouts import Rollout
from sim.tasks.episode import Episode
from sim.tasks.task_source import Bare
from sim.worlds.looks import link_poses, meshes_of, poses_of_row, world_from_base

CAMERAS: Final = ("fixed", "wrist")
"""Known cameras: one beside the robot, one on its hand."""
BACKGROUND: Final = (226, 229, 233)
"""Where nothing is seen."""
LIGHT: Final = Light(direction=(0.4, -0.3, 0.85), lamp=0.55, ambient=0.5, ground=0.8)
"""A lamp above, and light from everywhere."""
RING: Final = (40, 140, 70)
"""Colour of the ring around a goal."""
RING_CORNERS: Final = 48
RING_M: Final = 0.006
"""Width of the ring [m]."""
RING_LIFT_M: Final = 0.002
"""How far it lies above the goal's place, so that no table hides it [m]."""
LOOKED_PX: Final = (160, 120)
"""Size of the picture that tells what is in the way [px]."""
IN_FRONT_M: Final = 0.08
"""What is nearer than a point by more is in its way; by less, it may be the object itself [m]."""
KEPT: Final = 4
"""Cousins whose meshes are kept ready."""


class Camera(Protocol):
    """Sees rollouts."""

    width: int
    """Width of its pictures [px], even."""
    height: int
    """Height [px], even."""

    def film(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        """Yield a picture uint8 [h, w, 3] from before each action, or before those of `steps`."""
        ...


@dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """Where a camera is and how it sees."""

    width: int = 160
    """Width of its pictures [px], even."""
    height: int = 120
    """Height [px], even."""
    samples: int = 2
    """Rays per pixel along each axis."""
    view_rad: float = 0.85
    """Angle of view from top to bottom of the fixed camera [rad]."""
    wrist_view_rad: float = 1.25
    """The same on the hand [rad]."""
    least_m: float = 0.6
    """The fixed camera is at least this far from the middle of what happens [m]."""
    rim_m: float = 0.06
    """What it has in view beyond the middles of what is handled [m]."""
    sides_rad: tuple[float, ...] = (-0.9, 0.9, -1.5, 1.5, -2.2, 2.2)
    """Where it may stand, from straight ahead of the robot to its left [rad]; of equal views the first is taken."""
    rise_rad: float = 0.85
    """How steeply it looks down [rad]."""
    back_m: float = 0.10
    """The hand's camera sits this far behind the tip ... [m]"""
    beside_m: float = 0.06
    """... and this far beside the hand's axis [m]."""
    goal: bool = False
    """Whether a ring on the table shows the goal, for those who watch; no policy gets such a hint."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Stage:
    """A cousin, ready to be drawn."""

    scene: Scene
    task: Task
    meshes: Sequence[Mesh]
    looks: Sequence[Look]


class DrawnCamera:
    """A camera of a name, in the cousins of an environment."""

    def __init__(self, name: str, env: CousinsVectorEnv, config: CameraConfig | None = None) -> None:
        require_cameras([name])
        self.config = config or CameraConfig()
        self.name, self.width, self.height = name, self.config.width, self.config.height
        self._staged, self._body = env.episodes.staged, env.episodes.worlds.body
        self._stage = lru_cache(maxsize=KEPT)(self._staged_of)
        self._fixed = cache(self._best_view)

    def film(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        """Yield a picture uint8 [h, w, 3] from before each action, or before those of `steps`."""
        stage = self._stage(rollout.cousin)
        camera = self._camera()
        for step in range(rollout.steps) if steps is None else steps:
            poses = poses_of_row(stage.scene, stage.task, self._body, rollout.about.slots, rollout.state, step)
            poses += [np.eye(4)] * (len(stage.meshes) - len(poses))
            meshes = [mesh.transformed(pose) for mesh, pose in zip(stage.meshes, poses, strict=True)]
            looks = [_turned(look, pose[:3, :3]) for look, pose in zip(stage.looks, poses, strict=True)]
            raster = render(meshes, camera, self._pose(rollout, step))
            image = shade(raster, meshes, looks=looks, light=LIGHT, background=np.array(BACKGROUND, dtype=float))
            yield self._reduced(image)

    def _staged_of(self, cousin: int) -> _Stage:
        source = self._staged.source
        scene = source.pack.scene(cousin) if isinstance(source, Bare) else source.scene(cousin)
        meshes = meshes_of(scene, self._body)
        episode = self._staged.afforded(cousin)
        ring = [_ring(episode.goal_m, episode.goal_radius_m)] if self.config.goal and _shows_goal(episode) else []
        return _Stage(
            scene=scene,
            task=self._staged.cousin(cousin).task,
            meshes=[*meshes, *ring],
            looks=[look_of(mesh) for mesh in [*meshes, *ring]],
        )

    def _camera(self) -> Intrinsics:
        view = self.config.view_rad if self.name == "fixed" else self.config.wrist_view_rad
        width, height = self.width * self.config.samples, self.height * self.config.samples
        focal = 0.5 * height / np.tan(0.5 * view)
        return Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)

    def _pose(self, rollout: Rollout, step: int) -> Array:
        """Return `world_from_camera` [4, 4]."""
        if self.name == "wrist":
            tip = rigid(rotation_from_quat_wxyz(rollout.state.tip_quat_wxyz[step]), rollout.state.tip_position_m[step])
            eye, ahead = transform(
                tip, np.array([[self.config.beside_m, 0.0, -self.config.back_m], [0.0, 0.0, 0.5 * self.config.back_m]])
            )
            return look_at(eye, ahead, up=tip[:3, 0])
        return self._fixed(rollout.cousin)

    def _best_view(self, cousin: int) -> Array:
        """Return where the fixed camera stands in a cousin: of a few places, the one that least is in the way of."""
        stage = self._stage(cousin)
        points = self._points(stage, cousin)
        middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
        radius = float(np.linalg.norm(points - middle, axis=1).max()) + self.config.rim_m
        distance = max(self.config.least_m, radius / np.sin(0.5 * self.config.view_rad))
        base, rise = world_from_base(stage.task)[:3, :3], self.config.rise_rad
        places = []
        for side in self.config.sides_rad:
            towards = base @ rotation_about(np.array([0.0, 0.0, 1.0]), side)
            eye = middle + distance * (towards @ np.array([np.cos(rise), 0.0, np.sin(rise)]))
            places.append(look_at(eye, middle))
        still, small = _at_rest(stage.scene), self._camera().scaled(*LOOKED_PX)
        seen = [_visible(render(still, small, place), points) for place in places]
        return places[int(np.argmax(seen))]

    def _points(self, stage: _Stage, cousin: int) -> Array:
        """Return what the fixed camera must have in view: the robot, what is handled, and the goal, [n, 3]."""
        episode = self._staged.afforded(cousin)
        placed = {one.asset.name: one.world_from_asset[:3, 3] for one in stage.scene.objects}
        goal = [np.array(episode.goal_m)] if _shows_goal(episode) else []
        place = [placed[episode.place]] if episode.place else []
        return np.array([self._tip_at_home(stage.task), *(placed[part.name] for part in episode.parts), *place, *goal])

    def _tip_at_home(self, task: Task) -> Array:
        homes = {drive.joint: drive.home for drive in self._body.drives}
        base_from_tip = link_poses(self._body.asset, homes)[self._body.tip] @ self._body.link_from_tip
        return np.asarray((world_from_base(task) @ base_from_tip)[:3, 3])

    def _reduced(self, image: Array) -> Array:
        samples = self.config.samples
        small = image.reshape(self.height, samples, self.width, samples, 3).mean(axis=(1, 3))
        return np.rint(small).astype(np.uint8)


def require_cameras(names: Iterable[str]) -> None:
    """Raise `UnknownNameError` for a name that no camera has."""
    known = ", ".join(CAMERAS)
    for name in names:
        if name not in CAMERAS:
            close = difflib.get_close_matches(name, CAMERAS, n=1, cutoff=0.5)
            guess = f"Did you mean '{close[0]}'? " if close else ""
            raise UnknownNameError(
                f"no camera named '{name}'", expected=f"one of {known}", hint=f"{guess}Known: {known}."
            )


def cameras_of(names: Iterable[str], env: CousinsVectorEnv) -> dict[str, Camera]:
    """Return cameras by name; raises `UnknownNameError`."""
    return {name: DrawnCamera(name, env) for name in names}


def _shows_goal(episode: Episode) -> bool:
    """Tell whether the goal is a place in the world."""
    return episode.goal_radius_m > 0.0 and not episode.place


def _ring(middle_m: Sequence[float], radius_m: float) -> Mesh:
    """Return a flat ring just above a place in the world."""
    angles = np.linspace(0.0, 2.0 * np.pi, RING_CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)
    rims = [circle * radius for radius in (radius_m, radius_m - RING_M)]
    here = np.arange(RING_CORNERS)
    following = (here + 1) % RING_CORNERS
    inner, onward = here + RING_CORNERS, following + RING_CORNERS
    faces = np.concatenate([np.stack([here, following, onward], axis=1), np.stack([here, onward, inner], axis=1)])
    vertices = np.concatenate(rims) + np.array(middle_m) + np.array([0.0, 0.0, RING_LIFT_M])
    colors = np.tile(np.array(RING, dtype=np.uint8), (len(vertices), 1))
    return Mesh(vertices=vertices, faces=faces.astype(np.int32), colors=colors)


def _at_rest(scene: Scene) -> list[Mesh]:
    """Return the structures and objects of a scene, in the world's frame."""
    meshes = [structure.visual for structure in scene.structures]
    for placed in scene.objects:
        poses = link_poses(placed.asset, {})
        meshes += [link.visual.transformed(placed.world_from_asset @ poses[link.name]) for link in placed.asset.links]
    return meshes


def _visible(raster: Raster, points: Array) -> int:
    """Return how many points [n, 3] nothing hides."""
    own = transform(invert(raster.world_from_camera), points)
    camera = raster.camera
    columns = np.rint(camera.fx * own[:, 0] / own[:, 2] + camera.cx).astype(int).clip(0, camera.width - 1)
    rows = np.rint(camera.fy * own[:, 1] / own[:, 2] + camera.cy).astype(int).clip(0, camera.height - 1)
    depth_m = raster.depth_m[rows, columns]
    return int(np.sum((depth_m == 0.0) | (depth_m > own[:, 2] - IN_FRONT_M)))


def _turned(look: Look, rotation: Array) -> Look:
    turned = np.asarray(rotation.T, dtype=np.float32)
    return replace(look, corner_normals=look.corner_normals @ turned, face_normals=look.face_normals @ turned)
