"""Camera images of a rollout, rendered from its recorded poses with the built-in rasteriser.

Images are rendered after the episode, from the poses of each step, so recording without cameras costs nothing. There
are no shadows and the light is white: the images show shapes and motion and are not photorealistic.
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
from cousins.raster import Raster, ShadingData, ShadingLight, prepare_shading, render, shade
from cousins.scene.scenes import Scene
from cousins.vary.cousins import GoalSpec
from sim.envs.vector_env import CousinsVectorEnv
from sim.recording.rollouts import Rollout
from sim.tasks.episode import Episode
from sim.tasks.task_source import PhysicsSource
from sim.worlds.looks import link_poses, meshes_of, poses_of_row, world_from_base

CAMERAS: Final = ("fixed", "wrist")
"""Names of cameras: `fixed` beside the robot, `wrist` on its hand."""
BACKGROUND_COLOR: Final = (226, 229, 233)
"""Colour of the background."""
LIGHT: Final = ShadingLight(direction=(0.4, -0.3, 0.85), lamp=0.55, ambient=0.5, ground=0.8)
"""A directional light from above, and ambient light."""
RING_COLOR: Final = (40, 140, 70)
"""Colour of the ring around a goal."""
RING_CORNERS: Final = 48
RING_M: Final = 0.006
"""Width of the ring [m]."""
RING_LIFT_M: Final = 0.002
"""Height of the ring above the goal, so that no table hides it [m]."""
OCCLUSION_TEST_PX: Final = (160, 120)
"""Width and height of the image for the occlusion test [px]."""
OCCLUSION_MARGIN_M: Final = 0.08
"""Depth by which a surface must be in front of a point to occlude it; nearer ones may be the object itself [m]."""
CACHED_COUSINS: Final = 4
"""Number of cousins whose meshes are cached."""


class Camera(Protocol):
    """Renders images of rollouts."""

    width: int
    """Width of an image [px], even."""
    height: int
    """Height of an image [px], even."""

    def render_rollout(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        """Yield an image uint8 [h, w, 3] of the state before each action, or before the actions of `steps`."""
        ...


@dataclass(frozen=True, kw_only=True)
class CameraConfig:
    """Pose and image settings of a camera."""

    width: int = 160
    """Width of an image [px], even."""
    height: int = 120
    """Height of an image [px], even."""
    supersampling: int = 2
    """Samples per pixel along each axis."""
    fixed_fov_rad: float = 0.85
    """Vertical field of view of the fixed camera [rad]."""
    wrist_fov_rad: float = 1.25
    """Vertical field of view of the wrist camera [rad]."""
    min_distance_m: float = 0.6
    """Smallest distance of the fixed camera from the centre of the points of interest [m]."""
    margin_m: float = 0.06
    """Margin around the points of interest that is in the view of the fixed camera [m]."""
    azimuths_rad: tuple[float, ...] = (-0.9, 0.9, -1.5, 1.5, -2.2, 2.2)
    """Candidate azimuths of the fixed camera, from the robot's forward axis to its left [rad]; ties take the first."""
    elevation_rad: float = 0.85
    """Elevation of the fixed camera above the horizontal [rad]."""
    wrist_back_m: float = 0.10
    """Distance of the wrist camera behind the tip, along the hand's axis [m]."""
    wrist_side_m: float = 0.06
    """Distance of the wrist camera from the hand's axis [m]."""
    show_goal: bool = False
    """Whether a ring on the table marks the goal, for viewers; images for policies have none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _DrawableCousin:
    """Meshes and shading data of a cousin."""

    scene: Scene
    task: GoalSpec
    meshes: Sequence[Mesh]
    looks: Sequence[ShadingData]


class DrawnCamera:
    """A camera of `CAMERAS` that renders rollouts in the cousins of an environment."""

    def __init__(self, name: str, env: CousinsVectorEnv, config: CameraConfig | None = None) -> None:
        require_cameras([name])
        self.config = config or CameraConfig()
        self.name, self.width, self.height = name, self.config.width, self.config.height
        self._task_source, self._body = env.episodes.task_source, env.episodes.worlds.body
        self._cached_cousin = lru_cache(maxsize=CACHED_COUSINS)(self._load_cousin)
        self._fixed_pose = cache(self._least_occluded_view)

    def render_rollout(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        """Yield an image uint8 [h, w, 3] of the state before each action, or before the actions of `steps`."""
        drawable = self._cached_cousin(rollout.cousin)
        camera = self._camera()
        for step in range(rollout.steps) if steps is None else steps:
            poses = poses_of_row(drawable.scene, drawable.task, self._body, rollout.metadata.slots, rollout.state, step)
            poses += [np.eye(4)] * (len(drawable.meshes) - len(poses))
            meshes = [mesh.transformed(pose) for mesh, pose in zip(drawable.meshes, poses, strict=True)]
            looks = [_rotate_look(look, pose[:3, :3]) for look, pose in zip(drawable.looks, poses, strict=True)]
            raster = render(meshes, camera, self._pose(rollout, step))
            image = shade(
                raster, meshes, shading_data=looks, light=LIGHT, background=np.array(BACKGROUND_COLOR, dtype=float)
            )
            yield self._downsample(image)

    def _load_cousin(self, cousin: int) -> _DrawableCousin:
        source = self._task_source.source
        scene = source.pack.scene(cousin) if isinstance(source, PhysicsSource) else source.scene(cousin)
        meshes = meshes_of(scene, self._body)
        episode = self._task_source.afforded(cousin)
        show_ring = self.config.show_goal and _has_goal_position(episode)
        goal_ring = [_ring_mesh(episode.goal_m, episode.goal_radius_m)] if show_ring else []
        return _DrawableCousin(
            scene=scene,
            task=self._task_source.cousin(cousin).task,
            meshes=[*meshes, *goal_ring],
            looks=[prepare_shading(mesh) for mesh in [*meshes, *goal_ring]],
        )

    def _camera(self) -> Intrinsics:
        fov_rad = self.config.fixed_fov_rad if self.name == "fixed" else self.config.wrist_fov_rad
        width, height = self.width * self.config.supersampling, self.height * self.config.supersampling
        focal = 0.5 * height / np.tan(0.5 * fov_rad)
        return Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)

    def _pose(self, rollout: Rollout, step: int) -> Array:
        """Return `world_from_camera` [4, 4]."""
        if self.name == "wrist":
            state, side_m, back_m = rollout.state, self.config.wrist_side_m, self.config.wrist_back_m
            world_from_tip = rigid(rotation_from_quat_wxyz(state.tip_quat_wxyz[step]), state.tip_position_m[step])
            eye, target = transform(world_from_tip, np.array([[side_m, 0.0, -back_m], [0.0, 0.0, 0.5 * back_m]]))
            return look_at(eye, target, up=world_from_tip[:3, 0])
        return self._fixed_pose(rollout.cousin)

    def _least_occluded_view(self, cousin: int) -> Array:
        """Return the pose [4, 4] of the fixed camera: the candidate that sees the most points of interest."""
        drawable = self._cached_cousin(cousin)
        points = self._points_of_interest(drawable, cousin)
        centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
        radius = float(np.linalg.norm(points - centre, axis=1).max()) + self.config.margin_m
        distance = max(self.config.min_distance_m, radius / np.sin(0.5 * self.config.fixed_fov_rad))
        world_from_base_rotation, elevation = world_from_base(drawable.task)[:3, :3], self.config.elevation_rad
        poses = []
        for azimuth in self.config.azimuths_rad:
            direction_frame = world_from_base_rotation @ rotation_about(np.array([0.0, 0.0, 1.0]), azimuth)
            eye = centre + distance * (direction_frame @ np.array([np.cos(elevation), 0.0, np.sin(elevation)]))
            poses.append(look_at(eye, centre))
        resting_meshes, small_camera = _meshes_at_rest(drawable.scene), self._camera().scaled(*OCCLUSION_TEST_PX)
        visible_counts = [_count_visible(render(resting_meshes, small_camera, pose), points) for pose in poses]
        return poses[int(np.argmax(visible_counts))]

    def _points_of_interest(self, drawable: _DrawableCousin, cousin: int) -> Array:
        """Return the points that the fixed camera must show, [n, 3] in the world [m]: tip, handled objects, goal."""
        episode = self._task_source.afforded(cousin)
        positions = {placed.asset.name: placed.world_from_asset[:3, 3] for placed in drawable.scene.objects}
        goal = [np.array(episode.goal_m)] if _has_goal_position(episode) else []
        receptacle = [positions[episode.place]] if episode.place else []
        handled = [positions[part.name] for part in episode.parts]
        return np.array([self._tip_at_home(drawable.task), *handled, *receptacle, *goal])

    def _tip_at_home(self, task: GoalSpec) -> Array:
        homes = {drive.joint: drive.home for drive in self._body.drives}
        base_from_tip = link_poses(self._body.asset, homes)[self._body.tip] @ self._body.link_from_tip
        return np.asarray((world_from_base(task) @ base_from_tip)[:3, 3])

    def _downsample(self, image: Array) -> Array:
        samples = self.config.supersampling
        averaged = image.reshape(self.height, samples, self.width, samples, 3).mean(axis=(1, 3))
        return np.rint(averaged).astype(np.uint8)


def require_cameras(names: Iterable[str]) -> None:
    """Raise `UnknownNameError` for a name that is not in `CAMERAS`."""
    camera_names = ", ".join(CAMERAS)
    for name in names:
        if name not in CAMERAS:
            matches = difflib.get_close_matches(name, CAMERAS, n=1, cutoff=0.5)
            suggestion = f"Did you mean '{matches[0]}'? " if matches else ""
            raise UnknownNameError(
                f"no camera named '{name}'",
                expected=f"one of {camera_names}",
                hint=f"{suggestion}Known: {camera_names}.",
            )


def make_cameras(names: Iterable[str], env: CousinsVectorEnv) -> dict[str, Camera]:
    """Return cameras by name; raises `UnknownNameError`."""
    return {name: DrawnCamera(name, env) for name in names}


def _has_goal_position(episode: Episode) -> bool:
    """Return whether the goal is a position in the world."""
    return episode.goal_radius_m > 0.0 and not episode.place


def _ring_mesh(centre_m: Sequence[float], radius_m: float) -> Mesh:
    """Return a flat ring just above a position in the world [m]."""
    angles = np.linspace(0.0, 2.0 * np.pi, RING_CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=1)
    rims = [circle * radius for radius in (radius_m, radius_m - RING_M)]
    corners = np.arange(RING_CORNERS)
    next_corners = (corners + 1) % RING_CORNERS
    inner_corners, next_inner_corners = corners + RING_CORNERS, next_corners + RING_CORNERS
    outer_triangles = np.stack([corners, next_corners, next_inner_corners], axis=1)
    inner_triangles = np.stack([corners, next_inner_corners, inner_corners], axis=1)
    faces = np.concatenate([outer_triangles, inner_triangles])
    vertices = np.concatenate(rims) + np.array(centre_m) + np.array([0.0, 0.0, RING_LIFT_M])
    colors = np.tile(np.array(RING_COLOR, dtype=np.uint8), (len(vertices), 1))
    return Mesh(vertices=vertices, faces=faces.astype(np.int32), colors=colors)


def _meshes_at_rest(scene: Scene) -> list[Mesh]:
    """Return the meshes of the structures and objects of a scene in the world frame, joints at zero."""
    meshes = [structure.visual for structure in scene.structures]
    for placed in scene.objects:
        poses = link_poses(placed.asset, {})
        meshes += [link.visual.transformed(placed.world_from_asset @ poses[link.name]) for link in placed.asset.links]
    return meshes


def _count_visible(raster: Raster, points: Array) -> int:
    """Return the number of world points [n, 3] that are not occluded."""
    camera_points = transform(invert(raster.world_from_camera), points)
    camera = raster.camera
    x, y, z = camera_points.T
    columns = np.rint(camera.fx * x / z + camera.cx).astype(int).clip(0, camera.width - 1)
    rows = np.rint(camera.fy * y / z + camera.cy).astype(int).clip(0, camera.height - 1)
    depth_m = raster.depth_m[rows, columns]
    return int(np.sum((depth_m == 0.0) | (depth_m > z - OCCLUSION_MARGIN_M)))


def _rotate_look(look: ShadingData, rotation: Array) -> ShadingData:
    rotation_t = np.asarray(rotation.T, dtype=np.float32)
    return replace(look, corner_normals=look.corner_normals @ rotation_t, face_normals=look.face_normals @ rotation_t)
