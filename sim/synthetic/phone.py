"""A simulated iPhone: captures of a scene of meshes, with full ground truth.

Cameras are those of a 3D Scanner App capture: 1920×1440 colour with a focal length of 1447 px, and 256×192 depth of the
same view. The modelled errors are those of `LidarConfig`, colour noise, and the drift of the reported poses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, transform, unproject
from cousins.meshes import Mesh
from cousins.raster import Raster, ShadingData, ShadingLight, prepare_shading, render, shade
from cousins.segment.frame_masks import pack_masks
from cousins.segment.segments import Plane, Segment, Segmentation
from sim.synthetic.lidar_noise import SUBSAMPLES, LidarConfig, TrueDepth, measure_depth, noiseless_lidar, true_depth
from sim.synthetic.shadow_maps import ShadowMaps, shadow_maps, visibility
from sim.synthetic.structured_light import StructuredLightConfig, measure_structured_light
from sim.synthetic.trajectory import drifted, orbit

COLOR_CAMERA = Intrinsics(width=1920, height=1440, fx=1447.65, fy=1447.65, cx=966.03, cy=691.7)
"""The colour camera of an iPhone with LiDAR, as 3D Scanner App reports it."""
DEPTH_SIZE = (256, 192)
"""Width and height of the depth image [px]."""
SKY = (225, 228, 232)
"""sRGB colour where no surface is."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PhoneBody:
    """One object of a scene for the phone."""

    name: str
    """Name, unique in the world."""
    label: str
    """Label in plain words."""
    mesh: Mesh
    """Geometry and colour in the body's own frame."""
    world_from_body: Array
    """Pose of the body, float64 [4, 4]."""

    @property
    def world_mesh(self) -> Mesh:
        """The mesh in the world frame."""
        return self.mesh.transformed(self.world_from_body)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PhoneWorld:
    """A scene for the phone."""

    bodies: tuple[PhoneBody, ...]
    """Separate objects."""
    structures: tuple[tuple[str, Mesh], ...] = ()
    """Fixed structure by name, in the world frame."""
    name: str = "simulated"
    """Name of the capture."""


@dataclass(frozen=True, kw_only=True)
class PhoneConfig:
    """Camera path and measurement errors of the phone."""

    frames: int = 90
    """Number of depth frames."""
    duration_s: float = 30.0
    """Duration of the camera path [s]."""
    radius_m: tuple[float, float] = (0.5, 0.9)
    """Nearest and farthest distance from the target [m]."""
    elevation_deg: tuple[float, float] = (18.0, 62.0)
    """Lowest and highest view above the horizon of the target [degree]."""
    turns: float = 1.12
    """Revolutions about the target; with more than one, the path overlaps its start."""
    shake_m: float = 0.008
    """Standard deviation of the hand's sway [m]."""
    shake_deg: float = 1.2
    """Standard deviation of the viewing direction's sway [degree]."""
    drift_m: float = 0.005
    """Largest error of a reported position over the path [m]."""
    drift_deg: float = 0.3
    """Largest error of a reported orientation over the path [degree]."""
    lidar: LidarConfig = field(default_factory=LidarConfig)
    """Depth errors."""
    structured_light: StructuredLightConfig | None = None
    """Depth errors of a camera that triangulates, in place of those of `lidar`; None for a phone."""
    camera: Intrinsics = COLOR_CAMERA
    """The colour camera at full size; the depth image shows the same view."""
    depth_size: tuple[int, int] = DEPTH_SIZE
    """Width and height of the depth image [px]."""
    color_width: int = 640
    """Width of the colour images [px]; 1920 is the phone's own."""
    color_every: int = 3
    """Number of depth frames per colour image."""
    color_supersample: int = 2
    """Rays per colour pixel along each axis."""
    color_noise: float = 1.5
    """Standard deviation of colour noise [levels of 255]."""
    shadows: bool = True
    """Whether objects cast soft shadows."""
    target: tuple[float, float, float] | None = None
    """Point that the camera circles [m]; the middle of the bodies if None."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Truth:
    """Ground truth of a simulated capture."""

    masks: dict[str, dict[int, Array]]
    """Masks by body and frame index, bool [h, w]: pixels of the depth image whose centre sees the body."""
    labels: dict[str, str]
    """Labels by body."""
    meshes: dict[str, Mesh]
    """Meshes by body, in the world frame."""
    world_from_camera: tuple[Array, ...]
    """True camera poses by frame [4, 4]."""
    depth_m: tuple[Array, ...]
    """True planar depth at pixel centres by frame [m], float32 [h, w]; 0 where nothing is seen."""
    range_bias_m: float
    """Constant range error of the capture [m]."""


def noiseless_phone() -> PhoneConfig:
    """Return a phone without measurement errors."""
    return PhoneConfig(lidar=noiseless_lidar(), drift_m=0.0, drift_deg=0.0, color_noise=0.0)


def record_capture(
    world: PhoneWorld, folder: Path, *, config: PhoneConfig, rng: np.random.Generator, path: Array | None = None
) -> tuple[Capture, Truth]:
    """Record a world; write and return the capture, with its ground truth; raises `CaptureError`.

    The camera follows `path`, poses `world_from_camera` [frames, 4, 4], or the configured orbit where it is None.
    """
    names = [body.name for body in world.bodies]
    if len(set(names)) != len(names):
        raise CaptureError(f"bodies {names}", expected="a name of its own for each", hint="Rename the repeated ones.")
    path_rng, drift_rng, bias_rng, frames_rng = rng.spawn(4)
    meshes = [body.world_mesh for body in world.bodies] + [mesh for _, mesh in world.structures]
    camera = _Camera(meshes, _target_of(world, config), config)
    poses = _orbit(camera.target, config, path_rng) if path is None else path
    reported = drifted(poses, reach_m=config.drift_m, reach_rad=float(np.deg2rad(config.drift_deg)), rng=drift_rng)
    bias_m = float(bias_rng.uniform(-1.0, 1.0) * config.lidar.bias_m)
    masks: dict[str, dict[int, Array]] = {name: {} for name in names}
    depths = []
    writer = CaptureWriter(
        folder, name=world.name, device="simulated iPhone", app="cousins", scale=Scale(source="lidar", error=0.005)
    )
    with writer:
        for index, frame_rng in enumerate(frames_rng.spawn(len(poses))):
            raster, facing = camera.render_depth(poses[index])
            truth = true_depth(raster.depth_m, facing, config=config.lidar)
            depth_m, confidence = camera.measure(truth, bias_m=bias_m, rng=frame_rng)
            color = camera.render_color(poses[index], rng=frame_rng) if index % config.color_every == 0 else None
            writer.add(
                timestamp_s=index * config.duration_s / len(poses),
                world_from_camera=reported[index],
                depth_camera=camera.depth_camera,
                depth_m=depth_m,
                confidence=confidence,
                color_camera=None if color is None else camera.color_camera,
                color=color,
            )
            depths.append(truth.depth_m.astype(np.float32))
            _add_masks(masks, names, raster.body[SUBSAMPLES // 2 :: SUBSAMPLES, SUBSAMPLES // 2 :: SUBSAMPLES], index)
        capture = writer.close()
    return capture, Truth(
        masks=masks,
        labels={body.name: body.label for body in world.bodies},
        meshes=dict(zip(names, meshes, strict=False)),
        world_from_camera=tuple(poses),
        depth_m=tuple(depths),
        range_bias_m=bias_m,
    )


def truth_segmentation(truth: Truth, capture: Capture, *, planes: tuple[Plane, ...] = ()) -> Segmentation:
    """Return the segmentation of the true masks; points [m] are the measured ones with confidence 2.

    The first of `planes` is the support of every object. Masks of frames that the capture holds out are left out.
    """
    frames = {frame.index: frame for frame in capture.frames}
    segments = []
    for name, all_masks in truth.masks.items():
        masks = {index: mask for index, mask in all_masks.items() if index in frames}
        points = [np.zeros((0, 3))]
        for index, mask in masks.items():
            frame = frames[index]
            is_measured = mask & (frame.confidence == 2) & (frame.depth_m > 0.0)
            points.append(transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera)[is_measured]))
        segments.append(
            Segment(
                name=name,
                label=truth.labels[name],
                label_source="truth",
                label_score=1.0,
                masks=pack_masks(masks),
                points=np.concatenate(points),
                support=planes[0].name if planes else None,
            )
        )
    return Segmentation(planes=planes, segments=tuple(segments))


class _Camera:
    """The phone's two cameras in one world, with shadow maps and surfaces computed once."""

    def __init__(self, meshes: Sequence[Mesh], target: Array, config: PhoneConfig) -> None:
        height = round(config.color_width * config.camera.height / config.camera.width)
        self.meshes, self.target, self.config = meshes, target, config
        self.color_camera = config.camera.scaled(config.color_width, height)
        self.depth_camera = config.camera.scaled(*config.depth_size)
        self._light = ShadingLight()
        self._surfaces: list[ShadingData] = [prepare_shading(mesh) for mesh in meshes]
        self._shadow_maps: ShadowMaps | None = None
        if config.shadows and config.color_every <= config.frames:
            reach_m = 1.5 * config.radius_m[1]
            near = [mesh for mesh in meshes if np.abs(mesh.vertices - target).max() < reach_m]
            self._shadow_maps = shadow_maps(near, np.asarray(self._light.direction), target, reach_m)

    def render_depth(self, world_from_camera: Array) -> tuple[Raster, Array]:
        """Return the supersampled raster and, at pixel centres, the cosine between ray and normal [h, w]."""
        width, height = self.config.depth_size
        fine = self.depth_camera.scaled(width * SUBSAMPLES, height * SUBSAMPLES)
        raster = render(self.meshes, fine, world_from_camera)
        middle = slice(SUBSAMPLES // 2, None, SUBSAMPLES)
        body, face = raster.body[middle, middle], raster.face[middle, middle]
        rays = unproject(np.ones(body.shape), self.depth_camera)
        rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)) @ world_from_camera[:3, :3].T
        facing = np.zeros(body.shape)
        for number, look in enumerate(self._surfaces):
            hit = body == number
            facing[hit] = np.abs(np.einsum("nk,nk->n", look.face_normals[face[hit]], rays[hit]))
        return raster, facing

    def measure(self, truth: TrueDepth, *, bias_m: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return measured planar depth [m], float32 [h, w], and confidence, uint8 [h, w]."""
        if self.config.structured_light is not None:
            return measure_structured_light(truth, self.depth_camera, config=self.config.structured_light, rng=rng)
        return measure_depth(truth, self.depth_camera, bias_m=bias_m, config=self.config.lidar, rng=rng)

    def render_color(self, world_from_camera: Array, *, rng: np.random.Generator) -> Array:
        """Return a photo, uint8 [h, w, 3]."""
        supersample = self.config.color_supersample
        fine = self.color_camera.scaled(self.color_camera.width * supersample, self.color_camera.height * supersample)
        raster = render(self.meshes, fine, world_from_camera)
        lit = None if self._shadow_maps is None else visibility(raster, self._surfaces, self._shadow_maps)
        image = shade(
            raster, self.meshes, shading_data=self._surfaces, light=self._light, visibility=lit, background=SKY
        )
        shape = (self.color_camera.height, supersample, self.color_camera.width, supersample, 3)
        photo = image.reshape(shape).mean(axis=(1, 3), dtype=np.float32)
        photo = photo + self.config.color_noise * rng.standard_normal(photo.shape, dtype=np.float32)
        return np.clip(np.rint(photo), 0, 255).astype(np.uint8)


def _orbit(target: Array, config: PhoneConfig, rng: np.random.Generator) -> Array:
    """Return the poses [frames, 4, 4] of the configured orbit."""
    return orbit(
        target,
        config.frames,
        radius_m=config.radius_m,
        elevation_rad=(np.deg2rad(config.elevation_deg[0]), np.deg2rad(config.elevation_deg[1])),
        turns=config.turns,
        shake_m=config.shake_m,
        shake_rad=float(np.deg2rad(config.shake_deg)),
        rng=rng,
    )


def _target_of(world: PhoneWorld, config: PhoneConfig) -> Array:
    """Return the point that the camera circles [3]."""
    if config.target is not None:
        return np.asarray(config.target, dtype=np.float64)
    meshes = [body.world_mesh for body in world.bodies] or [mesh for _, mesh in world.structures]
    if not meshes:
        raise CaptureError("an empty world", expected="a body or a structure", hint="Put something before the phone.")
    points = np.concatenate([mesh.vertices for mesh in meshes])
    return np.asarray(0.5 * (points.min(axis=0) + points.max(axis=0)))


def _add_masks(masks: dict[str, dict[int, Array]], names: list[str], body: Array, index: int) -> None:
    for number, name in enumerate(names):
        mask = body == number
        if mask.any():
            masks[name][index] = mask
