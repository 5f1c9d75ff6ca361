"""Physical tests of single assets: a drop on a plane, a ball dropped into its hollow, a sweep of its joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.morphology import reconstruction

from cousins.geometry import Array, transform
from cousins.meshes import concatenate
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.scenes import PlacedAsset, Scene
from sim.physics.engine import Engine
from sim.physics.motion import pose_distance
from sim.physics.simple_assets import make_scene, place, rigid_asset, slab, sphere_piece
from sim.validation.stability import deepest_contacts

CELL_M: Final = 0.003
"""Cell size of the height map for finding hollows [m]: what a phone's LiDAR resolves at 0.5 m."""
MAX_CELLS: Final = 400
"""Largest number of cells along a side of the height map; cells grow for assets above 80 cm."""
PLANE_RESTITUTION: Final = 0.35
"""Coefficient of restitution of the drop plane: that of wood in the material table."""
SAMPLE_S: Final = 0.25
"""Time between two pose samples of a dropped object [s]."""
BALL_NAME: Final = "probe_ball"
"""Name of the ball in `probe_cavity`."""


@dataclass(frozen=True, kw_only=True)
class DropConfig:
    """How assets are dropped."""

    height_m: float = 0.03
    """Initial height of the lowest point above the plane [m]."""
    max_duration_s: float = 4.0
    """Time limit to come to rest [s]."""
    still_m: float = 5e-4
    """Largest motion of an object at rest in a quarter of a second [m]."""
    still_rad: float = 1e-2
    """Largest rotation of an object at rest in a quarter of a second [rad]."""


@dataclass(frozen=True, kw_only=True)
class DropResult:
    """Result of dropping one asset."""

    name: str
    """Name of the asset."""
    rested: bool
    """Whether it came to rest in time."""
    rest_s: float
    """Time at which it came to rest, else the time limit [s]."""
    moving_m: float
    """Distance moved in the last quarter of a second [m]."""
    turning_rad: float
    """Angle turned in the last quarter of a second [rad]."""
    highest_m: float
    """Largest height of its origin above the start [m]; large where the simulation explodes."""
    depth_m: float
    """Deepest contact at the end [m]."""
    turned_rad: float
    """Angle between the first and the last orientation [rad]."""


@dataclass(frozen=True, kw_only=True)
class CavityProbe:
    """Result of dropping a ball into a hollow of the visual mesh."""

    has_hollow: bool
    """Whether the visual mesh has a hollow that is open upwards."""
    depth_m: float = 0.0
    """Depth of the hollow below its rim [m]."""
    ball_radius_m: float = 0.0
    """Radius of the ball [m]."""
    sunk_m: float = 0.0
    """Final depth of the ball's lowest point below the rim [m]."""
    ball_inside: bool = False
    """Whether the ball sank to at least half of the hollow's depth."""


@dataclass(frozen=True, kw_only=True)
class JointSweep:
    """Result of moving one joint through its range."""

    asset: str
    """Name of the asset."""
    joint: str
    """Name of the joint."""
    worst_error: float
    """Largest distance of the joint outside its limits shortly after it was released [rad or m]."""
    root_moved_m: float
    """Distance that the root moved when the joint was set, without a step [m]."""


def drop_assets(
    placed: Sequence[PlacedAsset], engine: Engine, *, config: DropConfig | None = None
) -> tuple[DropResult, ...]:
    """Drop assets in their given orientations on a plane, all at once and far apart."""
    config = DropConfig() if config is None else config
    scene = _spaced_scene(placed, config.height_m)
    engine.load(scene)
    start = poses = engine.poses()
    rest_s = dict.fromkeys(start, config.max_duration_s)
    highest = dict.fromkeys(start, 0.0)
    motion = dict.fromkeys(start, (0.0, 0.0))
    for index in range(round(config.max_duration_s / SAMPLE_S)):
        previous = poses
        engine.step(round(SAMPLE_S / engine.timestep_s))
        poses = engine.poses()
        for name, pose in poses.items():
            highest[name] = max(highest[name], float(pose[2, 3] - start[name][2, 3]))
            motion[name] = distance, angle = pose_distance(previous[name], pose)
            still = distance <= config.still_m and angle <= config.still_rad
            rest_s[name] = min(rest_s[name], SAMPLE_S * index) if still else config.max_duration_s
        if max(rest_s.values(), default=0.0) < config.max_duration_s:
            break
    depths = deepest_contacts(engine, start)
    return tuple(
        DropResult(
            name=name,
            rested=rest_s[name] < config.max_duration_s,
            rest_s=rest_s[name],
            moving_m=motion[name][0],
            turning_rad=motion[name][1],
            highest_m=highest[name],
            depth_m=depths[name],
            turned_rad=pose_distance(start[name], poses[name])[1],
        )
        for name in start
    )


def probe_cavity(asset: Asset, engine: Engine, *, duration_s: float = 2.0) -> CavityProbe:
    """Drop a ball into the deepest upward hollow of an asset, its joints at 0, and measure how deep it sinks.

    The ball has 0.6 of the largest radius that fits between the walls at half depth. The asset stands upright
    on a plane.
    """
    asset_from_link = asset_from_links(asset)
    visual = concatenate([link.visual.transformed(asset_from_link[link.name]) for link in asset.links])
    hollow = _find_hollow(visual.vertices, visual.faces)
    if hollow is None:
        return CavityProbe(has_hollow=False)
    center, rim_m, depth_m, radius_m = hollow
    lowest = min(
        float(transform(asset_from_link[link.name], piece.mesh.vertices)[:, 2].min())
        for link in asset.links
        for piece in link.pieces
    )
    ball = rigid_asset(BALL_NAME, [sphere_piece(radius_m)], mass_kg=0.05 * asset.links[0].mass_kg.value)
    drop_height_m = rim_m + radius_m + 0.005
    engine.load(make_scene(place(asset, 0.0, 0.0, -lowest), place(ball, center[0], center[1], drop_height_m - lowest)))
    engine.step(round(duration_s / engine.timestep_s))
    poses = engine.poses()
    asset_from_ball = np.linalg.inv(poses[asset.name]) @ poses[BALL_NAME]
    sunk_m = float(rim_m - (asset_from_ball[2, 3] - radius_m))
    return CavityProbe(
        has_hollow=True,
        depth_m=depth_m,
        ball_radius_m=radius_m,
        sunk_m=sunk_m,
        ball_inside=bool(sunk_m >= 0.5 * depth_m),
    )


def sweep_joints(asset: Asset, engine: Engine, *, positions: int = 5) -> tuple[JointSweep, ...]:
    """Set every joint to positions over its range and release it for 0.05 s at each of them."""
    scene = _spaced_scene([place(asset, 0.0, 0.0, 0.0)], 0.0)
    engine.load(scene)
    sweeps = []
    start = engine.poses()[asset.name]
    for joint in asset.joints:
        if joint.kind == "fixed":
            continue
        error = root_moved = 0.0
        for position in np.linspace(joint.lower, joint.upper, positions):
            engine.set_pose(asset.name, start)
            engine.set_joint(asset.name, joint.name, float(position))
            root_moved = max(root_moved, pose_distance(start, engine.poses()[asset.name])[0])
            engine.step(round(0.05 / engine.timestep_s))
            value = engine.joints()[asset.name, joint.name]
            error = max(error, joint.lower - value, value - joint.upper)
        sweeps.append(JointSweep(asset=asset.name, joint=joint.name, worst_error=error, root_moved_m=root_moved))
    return tuple(sweeps)


def _spaced_scene(placements: Sequence[PlacedAsset], height_m: float) -> Scene:
    """Return a scene with the assets in a row on a plane, too far apart to collide."""
    objects, x = [], 0.0
    for placed in placements:
        points = np.concatenate(
            [
                transform(placed.world_from_asset, piece.mesh.vertices)
                for link in placed.asset.links[:1]
                for piece in link.pieces
            ]
        )
        reach = float(np.linalg.norm(np.ptp(points, axis=0))) + 0.2
        pose = placed.world_from_asset.copy()
        x += reach
        pose[:3, 3] = [x, 0.0, placed.world_from_asset[2, 3] - points[:, 2].min() + height_m]
        x += reach
        objects.append(replace(placed, world_from_asset=pose, fixed=False))
    plane = slab("drop_plane", size_m=(2.0 * x + 10.0, 20.0, 0.2), restitution=PLANE_RESTITUTION)
    return make_scene(*objects, structures=[plane], name="drop")


def _find_hollow(vertices: Array, faces: Array) -> tuple[Array, float, float, float] | None:
    """Return centre [2], rim height, depth and ball radius [m] of the deepest upward hollow of a mesh, if any.

    A hollow is where flooding the height map from outside leaves a lake (morphological reconstruction by erosion).
    """
    cell_m = max(CELL_M, float(np.ptp(vertices[:, :2], axis=0).max()) / MAX_CELLS)
    heights, origin = _height_map(vertices, faces, cell_m)
    flooded = reconstruction(_flooding_seed(heights), heights, method="erosion")
    lake = flooded - heights
    depth_m = float(lake.max())
    if depth_m < 3.0 * cell_m:
        return None
    clearance_m = distance_transform_edt(lake > 0.5 * depth_m) * cell_m
    row, column = np.unravel_index(int(np.argmax(clearance_m)), clearance_m.shape)
    radius_m = 0.6 * float(clearance_m[row, column])
    if radius_m < cell_m:
        return None
    center = origin + (np.array([row, column]) + 0.5) * cell_m
    return center, float(flooded[row, column]), float(lake[row, column]), radius_m


def _flooding_seed(heights: Array) -> Array:
    seed = np.full_like(heights, heights.max())
    seed[[0, -1]], seed[:, [0, -1]] = heights[[0, -1]], heights[:, [0, -1]]
    return seed


def _height_map(vertices: Array, faces: Array, cell_m: float) -> tuple[Array, Array]:
    """Return the highest surface over each cell [m], and the corner of cell (0, 0) [m], of a mesh seen from above."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    origin = low[:2] - 2.0 * cell_m
    shape = np.ceil((high[:2] - origin) / cell_m).astype(int) + 2
    heights = np.full(shape, low[2])
    triangles = vertices[faces]
    edges = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max(axis=1)
    for count, group in _group_by_subdivision(triangles, edges, cell_m).items():
        steps = np.arange(count + 1) / count
        u, v = np.meshgrid(steps, steps, indexing="ij")
        inner = u + v <= 1.0 + 1e-9
        weights = np.stack([1.0 - u[inner] - v[inner], u[inner], v[inner]], axis=1)
        points = np.einsum("kw,nwd->nkd", weights, group).reshape(-1, 3)
        cells = ((points[:, :2] - origin) / cell_m).astype(int)
        np.maximum.at(heights, (cells[:, 0], cells[:, 1]), points[:, 2])
    return heights, origin


def _group_by_subdivision(triangles: Array, edges: Array, cell_m: float) -> Mapping[int, Array]:
    counts = 2 ** np.ceil(np.log2(np.maximum(2.0 * edges / cell_m, 1.0))).astype(int)
    return {int(count): triangles[counts == count] for count in np.unique(counts)}
