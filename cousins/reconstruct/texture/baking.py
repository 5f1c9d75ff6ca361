"""Textures baked from the sharpest views of a capture.

Each texel is projected into every colour frame. A view counts where its own depth image agrees that
the texel is what it sees, by resolution on the surface, obliqueness and sharpness; the best views are
blended with weights so steep that one of them rules and seams stay soft. Exposure differences are
evened out by a gain per view and channel. Texels that nobody saw take the colour of the nearest one seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import trimesh
import xatlas

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array, Intrinsics, invert, project, transform
from cousins.meshes import Mesh
from cousins.raster import render
from cousins.reconstruct.texture.inpainting import fill_gutters, fill_in_picture, fill_on_surface
from cousins.reconstruct.texture.texel_kernels import blend_views, cover_texels, place_texels, sample_view

STEEPNESS = 8.0
"""Exponent of a view's quality in the blend."""
KEPT_VIEWS = 3
"""Best views blended at each texel."""
MIN_IN_PICTURE = 0.1
"""Least share of a mesh that a frame must have in the picture to be used."""
GAIN_TEXELS = 200_000
"""Texels on which gains are fitted."""
MIN_GAIN_TEXELS = 200
"""Texels of a view needed to fit its gain."""
MIN_GAIN_WEIGHT = 0.5
"""Quality relative to the best view from which on a view's colour counts for its gain."""
GAIN_ROUNDS = 3
"""Rounds of evening out exposure."""
GUTTER_PX = 4
"""Width by which charts are extended, so that filtering does not pick up the background [px]."""
PACKING_PX = 512
"""Side of the raster in which charts are packed; a finer one costs time and packs no tighter [px]."""
HIDDEN_M = 1e-3
"""Depth that stands for another body before the mesh [m]: nearer than anything that is seen."""
UNSEEN_GREY = 160
"""Level of a mesh that no view saw at all."""


@dataclass(frozen=True, kw_only=True)
class TextureConfig:
    """How finely a texture is baked."""

    texel_m: float = 0.0007
    """Aimed size of a texel on the surface [m]."""
    min_size_px: int = 128
    """Least side of the texture [px]."""
    max_size_px: int = 2048
    """Largest side of the texture [px]."""
    max_views: int = 24
    """Most colour frames used; spread evenly over the capture."""
    color_width_px: int = 1920
    """Width at which colour frames are decoded [px]."""
    depth_tolerance_m: float = 0.02
    """Largest disagreement between a texel and the view's depth [m]."""


def bake_texture(
    mesh: Mesh, capture: Capture, *, occluders: tuple[Mesh, ...] = (), config: TextureConfig | None = None
) -> Mesh:
    """Return a world-frame mesh with UVs and a texture from the capture's colour frames.

    A mesh that has UVs keeps them and is taken for one chart. `occluders` are other bodies in the world
    frame that may hide it. Without any colour frame the mesh comes back as it is.
    """
    config = config or TextureConfig()
    frames = [frame for frame in capture.frames if frame.color_path is not None]
    if not frames:
        return mesh
    size = _texture_size(mesh, config)
    charted = mesh if mesh.uv is not None else unwrap(mesh, size)
    texels = _texels(charted, size)
    chosen = _choose(frames, charted, config)
    views = (_view(frame, charted, occluders, config) for frame in chosen)
    colors, seen = _blend(_best_views(texels, views, config), len(chosen))
    return replace(charted, colors=None, texture=_paint(texels, colors, seen, size, one_chart=mesh.uv is not None))


def swollen(mesh: Mesh, by_m: float) -> Mesh:
    """Return a mesh grown by a length [m]: near an object's edge, a photo shows it where its mesh just is not.

    Seams of the texture are welded first, along which the shell would tear.
    """
    welded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    return Mesh(
        vertices=np.asarray(welded.vertices + by_m * welded.vertex_normals),
        faces=np.asarray(welded.faces, dtype=np.int32),
    )


def unwrap(mesh: Mesh, size_px: int) -> Mesh:
    """Return the mesh with UVs by xatlas; vertices are duplicated along seams."""
    charts = xatlas.ChartOptions()
    charts.max_iterations = 1
    pack = xatlas.PackOptions()
    pack.resolution = min(size_px, PACKING_PX)
    pack.padding = max(2 * GUTTER_PX * pack.resolution // size_px, 1)
    pack.bilinear = True
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    atlas.generate(charts, pack)
    origin, faces, uv = atlas[0]
    return Mesh(vertices=mesh.vertices[origin], faces=faces.astype(np.int32), uv=uv.astype(np.float64))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Texels:
    """Where each covered texel lies on the surface."""

    rows: Array
    columns: Array
    points: Array
    normals: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _View:
    """One colour frame with what it sees of the mesh."""

    camera_from_world: Array
    center: Array
    matrix: Array
    color: Array
    nearest_m: Array
    sensor_m: Array
    sharpness: float


def _texture_size(mesh: Mesh, config: TextureConfig) -> int:
    side = np.sqrt(2.0 * float(mesh.to_trimesh().area)) / config.texel_m
    return int(np.clip(2 ** round(np.log2(max(side, 1.0))), config.min_size_px, config.max_size_px))


def _texels(mesh: Mesh, size: int) -> _Texels:
    assert mesh.uv is not None
    corners = np.stack([mesh.uv[:, 0] * size - 0.5, (1.0 - mesh.uv[:, 1]) * size - 0.5], axis=1)[mesh.faces]
    face = cover_texels(corners, size)
    rows, columns = np.nonzero(face >= 0)
    chosen = face[rows, columns]
    triangles = mesh.vertices[mesh.faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    points = place_texels(rows, columns, chosen, corners, triangles)
    return _Texels(rows=rows, columns=columns, points=points, normals=normals[chosen])


def _choose(frames: list[Frame], mesh: Mesh, config: TextureConfig) -> list[Frame]:
    """Return the frames that have the mesh in the picture, spread evenly over the capture."""
    seeing = [frame for frame in frames if _in_picture(frame, mesh) > MIN_IN_PICTURE] or frames
    step = max(len(seeing) / config.max_views, 1.0)
    return [seeing[int(number * step)] for number in range(int(len(seeing) / step))]


def _in_picture(frame: Frame, mesh: Mesh) -> float:
    """Return the share of the mesh's vertices that project into a frame's picture."""
    camera = frame.color_camera
    assert camera is not None
    some = mesh.vertices[:: max(len(mesh.vertices) // 500, 1)]
    pixels, _ = project(transform(invert(frame.world_from_camera), some), camera)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0.0) & (pixels <= [camera.width - 1, camera.height - 1])
    return float(inside.all(axis=1).mean())


def _view(frame: Frame, mesh: Mesh, occluders: tuple[Mesh, ...], config: TextureConfig) -> _View:
    color = frame.color(width=config.color_width_px)
    assert color is not None
    assert frame.color_camera is not None
    camera = frame.color_camera.scaled(color.shape[1], color.shape[0])
    small = frame.color_camera.scaled(640, round(640 * color.shape[0] / color.shape[1]))
    nearest = _nearest(mesh, occluders, small, frame.world_from_camera)
    green = color[::2, ::2, 1].astype(np.int16)
    contrast = 4 * green[1:-1, 1:-1] - green[:-2, 1:-1] - green[2:, 1:-1] - green[1:-1, :-2] - green[1:-1, 2:]
    return _View(
        camera_from_world=invert(frame.world_from_camera),
        center=np.ascontiguousarray(frame.world_from_camera[:3, 3]),
        matrix=np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        color=color,
        nearest_m=nearest,
        sensor_m=np.where(frame.confidence > 0, frame.depth_m, 0.0).astype(np.float32),
        sharpness=float(np.std(contrast, dtype=np.float64)),
    )


def _nearest(mesh: Mesh, occluders: tuple[Mesh, ...], camera: Intrinsics, world_from_camera: Array) -> Array:
    """Return the depth of a mesh [m] by pixel; a pixel in which another body stands before it is at no distance.

    What lies behind the mesh by its own relief is left to a tolerance, but other bodies leave none: one that stands on
    a table would else be painted onto the table under it.
    """
    own = render([mesh], camera, world_from_camera).depth_m
    if not occluders:
        return own
    other = render(list(occluders), camera, world_from_camera).depth_m
    hidden = (other > 0.0) & ((own <= 0.0) | (other < own))
    return np.where(hidden, np.float32(HIDDEN_M), own)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Best:
    """The best views of each texel: quality [k, n], colour [k, n, 3] and number of the view [k, n]."""

    quality: Array
    color: Array
    view: Array


def _best_views(texels: _Texels, views: Iterable[_View], config: TextureConfig) -> _Best:
    count = len(texels.points)
    best = _Best(
        quality=np.zeros((KEPT_VIEWS, count), dtype=np.float32),
        color=np.zeros((KEPT_VIEWS, count, 3), dtype=np.uint8),
        view=np.zeros((KEPT_VIEWS, count), dtype=np.int32),
    )
    for number, view in enumerate(views):
        sample_view(
            texels.points,
            texels.normals,
            view.camera_from_world,
            view.center,
            view.matrix,
            view.color,
            view.nearest_m,
            view.sensor_m,
            config.depth_tolerance_m,
            np.float32(view.sharpness),
            number,
            best.quality,
            best.color,
            best.view,
        )
    return best


def _blend(best: _Best, view_count: int) -> tuple[Array, Array]:
    """Return colours uint8 [n, 3] and which texels some view saw [n].

    One gain per view and channel is fitted to the blend itself, on an even share of the texels.
    """
    step = max(best.quality.shape[1] // GAIN_TEXELS, 1)
    some = [np.ascontiguousarray(array[:, ::step]) for array in (best.quality, best.color, best.view)]
    quality, color, view = some
    weights = quality / np.maximum(quality.max(axis=0), 1e-12)
    gains = np.ones((view_count, 3))
    for _ in range(GAIN_ROUNDS):
        blend = blend_views(quality, color, view, gains, STEEPNESS)
        for number in range(view_count):
            layer, texel = np.nonzero((view == number) & (weights > MIN_GAIN_WEIGHT))
            if len(texel) > MIN_GAIN_TEXELS:
                gains[number] = blend[texel].mean(axis=0) / np.maximum(color[layer, texel].mean(axis=0), 1.0)
        gains /= gains.mean(axis=0)
    colors = blend_views(best.quality, best.color, best.view, gains, STEEPNESS)
    return colors, best.quality[0] > 0.0


def _paint(texels: _Texels, colors: Array, seen: Array, size: int, *, one_chart: bool) -> Array:
    """Return the texture uint8 [size, size, 3] with unseen texels and gutters filled."""
    texture = np.full((size, size, 3), UNSEEN_GREY, dtype=np.uint8)
    known = np.zeros((size, size), dtype=bool)
    if one_chart:
        texture[texels.rows[seen], texels.columns[seen]] = colors[seen]
        known[texels.rows, texels.columns] = seen
        return fill_in_picture(texture, known)
    fill_on_surface(texels.points, colors, seen)
    if seen.any():
        texture[texels.rows, texels.columns] = colors
    known[texels.rows, texels.columns] = True
    return fill_gutters(texture, known)
