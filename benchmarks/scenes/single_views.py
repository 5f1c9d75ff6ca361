"""Single views of household things on a table, with labels: by a structured-light camera or by a phone's LiDAR.

Five to eleven things stand and lie close together, some touch, some lie on or in others. They come from the asset
families, keyboards and, where given, scanned objects, so that programs can be tuned on the former and measured on
the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.spatial import ConvexHull, cKDTree

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, look_at, rigid, rotation_about, transform, unproject
from cousins.meshes import Mesh
from cousins.plugins import load_backend
from cousins.raster import ShadingLight, prepare_shading, render, shade
from cousins.reconstruct.kinematics import asset_from_links
from scenes.objects import rest_poses, sample
from scenes.structured_light import KINECT_CAMERA, structured_light_depth
from sim.synthetic import primitives, procedural_textures
from sim.synthetic.lidar_noise import SUBSAMPLES, LidarConfig, measure_depth, true_depth
from sim.synthetic.phone import COLOR_CAMERA, DEPTH_SIZE, SKY

Sensor = Literal["kinect", "lidar"]
FAMILIES = (
    *("ball", "basket", "book", "bottle", "bottle", "bowl", "bowl", "box", "box", "can", "can", "cup"),
    *("jar_with_lid", "mug", "mug", "plate", "plush", "shoe", "tool", "tray"),
)
"""Families that things are drawn from; common things are named twice."""
LYING = ("bottle", "can", "cup", "mug", "box", "jar_with_lid", "shoe", "scan")
"""Things that may lie on another side."""
CARRYING = ("book", "box", "tray", "plate", "basket", "bowl")
"""Things on or in which others lie."""
GAPS_M = (0.0005, 0.003, 0.03)
"""Least gaps between outlines, in turn by chance: touching, nearly, and apart [m]."""
TABLE_M = (1.6, 1.1, 0.03)
"""Size of the table top [m]; the floor is 0.75 m below."""
LEAST_VISIBLE_SHARE = 0.2
"""Share of its outline from which a thing counts as visible."""
LEAST_PIXELS = 150
"""Fewest depth pixels of a visible thing."""
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneItem:
    """One thing to be placed."""

    kind: str
    """Family, `keyboard` or `scan`."""
    meshes: list[Mesh]
    """Its meshes in its own frame."""

    @property
    def vertices(self) -> Array:
        """All vertices [m], [n, 3]."""
        return np.concatenate([mesh.vertices for mesh in self.meshes])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SingleView:
    """A capture of one frame with its truth."""

    capture: Capture
    """The capture; its gravity is unknown, as in files of a single frame."""
    labels: Array
    """Thing of each pixel, -1 none, int64 [h, w]."""
    kinds: tuple[str, ...]
    """Kind of each thing."""
    visible: Array
    """Whether enough of each thing is visible, bool [things]."""


def single_view(seed: int, sensor: Sensor, folder: Path, *, scans: Sequence[Mesh] = ()) -> SingleView:
    """Return a view that depends on its seed alone; the photo is written into a folder.

    With scans, two things of three are scans.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(77,)))
    items = [_drawn_item(scans, rng) for _ in range(int(rng.integers(5, 12)))]
    poses = _arranged(items, rng)
    meshes, owners = _structures(rng), [-1, -1]
    for k, (item, pose) in enumerate(zip(items, poses, strict=True)):
        meshes += [mesh.transformed(pose) for mesh in item.meshes]
        owners += [k] * len(item.meshes)
    placed = np.concatenate([transform(pose, item.vertices) for item, pose in zip(items, poses, strict=True)])
    world_from_camera = _camera_pose(placed, rng)
    frame, body = _frame(f"{sensor}_{seed}", meshes, world_from_camera, sensor, folder, rng)
    labels = np.where(body >= 0, np.array([*owners, -1])[body], -1)
    entire = [
        int((render(_meshes_of(meshes, owners, k), frame.depth_camera, world_from_camera).body >= 0).sum())
        for k in range(len(items))
    ]
    measured = np.bincount(labels[(labels >= 0) & (frame.depth_m > 0.0)], minlength=len(items))
    drawn = np.bincount(labels[labels >= 0], minlength=len(items))
    return SingleView(
        capture=Capture(
            name=f"{sensor} {seed}",
            device="simulated",
            app="simulated",
            frames=(frame,),
            scale=Scale(source="structured light" if sensor == "kinect" else "lidar", error=0.01),
            gravity_known=False,
        ),
        labels=labels,
        kinds=tuple(item.kind for item in items),
        visible=(drawn >= LEAST_VISIBLE_SHARE * np.array(entire)) & (measured >= LEAST_PIXELS),
    )


def _meshes_of(meshes: Sequence[Mesh], owners: Sequence[int], k: int) -> list[Mesh]:
    return [mesh for mesh, owner in zip(meshes, owners, strict=True) if owner == k]


def _drawn_item(scans: Sequence[Mesh], rng: np.random.Generator) -> SceneItem:
    draw = rng.uniform()
    if draw < 0.07:
        return SceneItem(kind="keyboard", meshes=_keyboard(rng))
    if len(scans) and draw < 0.7:
        return SceneItem(kind="scan", meshes=[scans[int(rng.integers(len(scans)))]])
    name = FAMILIES[int(rng.integers(len(FAMILIES)))]
    backend = load_backend("cousins.families.backends", name, kind="family")
    family = backend.build(backend.Config())
    asset = family.build(family.sample(rng), name=name, rng=rng, texture_px=64)
    poses = asset_from_links(asset)
    return SceneItem(kind=name, meshes=[link.visual.transformed(poses[link.name]) for link in asset.links])


def _keyboard(rng: np.random.Generator) -> list[Mesh]:
    """Return a slab with rows of keys, 19 mm apart."""
    wide, deep, high = rng.uniform(0.28, 0.44), rng.uniform(0.11, 0.15), rng.uniform(0.012, 0.022)
    slab = primitives.box((wide, deep, high), _plain((40, 40, 44), rng))
    look = _plain((60, 60, 66) if rng.uniform() < 0.6 else (225, 225, 225), rng)
    key = primitives.box((0.015, 0.015, 0.008), look)
    corner = np.array([0.02 - wide / 2, 0.02 - deep / 2, high])
    columns = int(wide / 0.019) - 1
    places = [corner + 0.019 * np.array([i, j, 0.0]) for i in range(columns) for j in range(5)]
    return [slab, *(key.transformed(rigid(None, place)) for place in places)]


def _plain(color: tuple[int, int, int], rng: np.random.Generator) -> Array:
    return procedural_textures.atlas([procedural_textures.mottled((64, 64), color, rng)] * 6, (64, 64))


def _structures(rng: np.random.Generator) -> list[Mesh]:
    """Return a table top whose upper side is z = 0, and the floor."""
    colors = ((176, 138, 98), (225, 225, 222), (90, 70, 55), (150, 150, 155))
    wood = procedural_textures.wood((256, 512), colors[int(rng.integers(4))], rng, planks=4)
    top = primitives.box(TABLE_M, procedural_textures.atlas([wood] * 6, (256, 512)))
    floor = primitives.box((5.0, 5.0, 0.05), _plain((120, 120, 120), rng))
    return [top.transformed(rigid(None, -TABLE_M[2] * UP)), floor.transformed(rigid(None, -0.83 * UP))]


def _arranged(items: Sequence[SceneItem], rng: np.random.Generator) -> list[Array]:
    """Return poses of things near each other; a quarter lie on or in another one where there is room."""
    poses: list[Array] = []
    outlines: list[Array] = []
    free: list[int] = []
    for k, item in enumerate(items):
        pose, lies = _rest_pose(item, rng)
        points = transform(pose, item.vertices)
        width = float(np.ptp(points[:, :2], axis=0).max())
        hosts = [j for j in free if _width(items[j], poses[j]) > 1.25 * width]
        if hosts and rng.uniform() < 0.4:
            host = hosts[int(rng.integers(len(hosts)))]
            poses.append(_dropped(points, pose, items[host], poses[host], rng))
            free.remove(host)
            continue
        outline = _outline(points[ConvexHull(points[:, :2]).vertices, :2])
        shift = _free_place(outline, outlines, GAPS_M[int(rng.integers(3))], rng)
        outlines.append(outline + shift)
        poses.append(rigid(None, np.array([*shift, 0.0])) @ pose)
        if item.kind in CARRYING and not lies:
            free.append(k)
    return poses


def _rest_pose(item: SceneItem, rng: np.random.Generator) -> tuple[Array, bool]:
    """Return a pose on z = 0 about the origin with any heading, and whether the thing lies on another side."""
    low, high = item.vertices.min(axis=0), item.vertices.max(axis=0)
    pose = rigid(None, -np.array([*(0.5 * (low + high))[:2], low[2]]))
    lies = item.kind in LYING and rng.uniform() < 0.25
    if lies:
        joined = Mesh(vertices=item.vertices, faces=_joined_faces(item.meshes))
        rests = [rest for rest, _ in rest_poses(joined)]
        pose = rests[int(rng.integers(len(rests)))] if rests else pose
    return rigid(rotation_about(UP, float(rng.uniform(0.0, 2.0 * np.pi)))) @ pose, lies


def _joined_faces(meshes: Sequence[Mesh]) -> Array:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]).astype(np.int32)


def _width(item: SceneItem, pose: Array) -> float:
    return float(np.ptp(transform(pose, item.vertices)[:, :2], axis=0).min())


def _dropped(points: Array, pose: Array, host: SceneItem, world_from_host: Array, rng: np.random.Generator) -> Array:
    """Return the pose moved to about the middle of a host and lowered until it meets its surface."""
    surface = np.concatenate([transform(world_from_host, sample(mesh, 2000, rng=rng)) for mesh in host.meshes])
    middle = 0.5 * (surface.min(axis=0) + surface.max(axis=0))[:2]
    middle = middle + 0.05 * rng.normal(size=2) * float(np.ptp(surface[:, :2], axis=0).min())
    sides = ConvexHull(points[:, :2] + middle).equations
    below = (surface[:, :2] @ sides[:, :2].T + sides[:, 2] < 0.0).all(axis=1)
    height = float(surface[below, 2].max()) if below.any() else 0.0
    return rigid(None, np.array([*middle, height])) @ pose


def _outline(corners: Array) -> Array:
    """Return points every 2 mm along a convex polygon, [n, 2]."""
    edges = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        share = np.linspace(0.0, 1.0, max(2, int(np.linalg.norm(b - a) / 0.002)), endpoint=False)
        edges.append(a + share[:, None] * (b - a))
    return np.concatenate(edges)


def _free_place(outline: Array, outlines: Sequence[Array], gap_m: float, rng: np.random.Generator) -> Array:
    """Return the shift [2] in a direction drawn by chance that clears all placed outlines by a gap."""
    heading = float(rng.uniform(0.0, 2.0 * np.pi))
    towards = np.array([np.cos(heading), np.sin(heading)])
    shift = np.zeros(2)
    if not outlines:
        return shift
    placed, tree = np.concatenate(outlines), cKDTree(np.concatenate(outlines))
    hulls = [ConvexHull(points).equations for points in outlines]
    while (
        float(tree.query(outline + shift)[0].min()) < gap_m
        or _holds(ConvexHull(outline + shift).equations, placed)
        or any(_holds(sides, outline + shift) for sides in hulls)
    ):
        shift = shift + 0.0015 * towards
    return shift


def _holds(sides: Array, points: Array) -> bool:
    return bool((points @ sides[:, :2].T + sides[:, 2] < 0.0).all(axis=1).any())


def _camera_pose(points: Array, rng: np.random.Generator) -> Array:
    """Return a pose that looks down at all points [n, 3] from 25 to 60 degrees, 0.55 to 1.5 m away."""
    target = 0.5 * (points.min(axis=0) + points.max(axis=0))
    target[2] = 0.04
    distance = float(np.clip(rng.uniform(1.0, 1.5) * np.ptp(points[:, :2], axis=0).max(), 0.55, 1.5))
    elevation, azimuth = np.deg2rad(rng.uniform(25.0, 60.0)), rng.uniform(0.0, 2.0 * np.pi)
    level = np.cos(elevation) * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    eye = target + distance * (level + np.sin(elevation) * UP)
    return look_at(eye, target) @ rigid(rotation_about(UP, float(0.03 * rng.normal())))


def _frame(
    name: str, meshes: list[Mesh], pose: Array, sensor: Sensor, folder: Path, rng: np.random.Generator
) -> tuple[Frame, Array]:
    """Return the frame that a sensor measures, and the mesh of each pixel [h, w], -1 none."""
    camera = KINECT_CAMERA if sensor == "kinect" else COLOR_CAMERA.scaled(*DEPTH_SIZE)
    color_camera = camera if sensor == "kinect" else COLOR_CAMERA.scaled(2 * DEPTH_SIZE[0], 2 * DEPTH_SIZE[1])
    steps = 1 if sensor == "kinect" else SUBSAMPLES
    raster = render(meshes, camera.scaled(steps * camera.width, steps * camera.height), pose)
    middle = slice(steps // 2, None, steps)
    body, face = raster.body[middle, middle], raster.face[middle, middle]
    shading = [prepare_shading(mesh) for mesh in meshes]
    rays = unproject(np.ones(body.shape), camera)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) @ pose[:3, :3].T
    facing = np.zeros(body.shape)
    for k in np.unique(body[body >= 0]):
        facing[body == k] = np.abs(np.einsum("nk,nk->n", shading[k].face_normals[face[body == k]], rays[body == k]))
    if sensor == "kinect":
        depth = structured_light_depth(raster.depth_m.astype(np.float64), facing, camera, rng=rng)
        confidence = np.where(depth > 0.0, 2, 0).astype(np.uint8)
    else:
        config = LidarConfig()
        bias_m = float(rng.uniform(-1.0, 1.0) * config.bias_m)
        truth = true_depth(raster.depth_m, facing, config=config)
        depth, confidence = measure_depth(truth, camera, bias_m=bias_m, config=config, rng=rng)
    picture = raster if color_camera is camera else render(meshes, color_camera, pose)
    photo = shade(picture, meshes, shading_data=shading, light=ShadingLight(), background=SKY).astype(np.float64)
    photo = np.clip(np.rint(photo + 2.0 * rng.normal(size=photo.shape)), 0, 255).astype(np.uint8)
    Image.fromarray(photo).save(folder / f"{name}.png")
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=pose,
        depth_camera=camera,
        depth_m=depth,
        confidence=confidence,
        color_camera=color_camera,
        color_path=folder / f"{name}.png",
    )
    return frame, body
