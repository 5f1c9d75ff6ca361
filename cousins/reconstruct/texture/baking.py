"""Bake a texture from the sharpest views of a capture.

Each texel is projected into every colour frame. A view counts where its own depth image agrees that
the texel is what it sees, by resolution on the surface, obliqueness and sharpness; the best views are
blended with weights so steep that one of them dominates and seams stay soft. Exposure differences are
compensated by a gain per view and channel. Texels without a view take the colour of the nearest one with a view.
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
from cousins.reconstruct.texture.inpainting import fill_gutters, fill_in_image, fill_on_surface
from cousins.reconstruct.texture.plane_completion import complete_plane
from cousins.reconstruct.texture.texel_kernels import blend_views, cover_texels, place_texels, sample_view

BLEND_EXPONENT = 8.0
"""Exponent of a view's quality in the blend."""
VIEWS_PER_TEXEL = 3
"""Number of best views blended at each texel."""
MIN_VISIBLE_SHARE = 0.1
"""Smallest share of a mesh that must be in a frame's picture for it to be used."""
GAIN_TEXELS = 200_000
"""Number of texels on which gains are fitted."""
MIN_GAIN_TEXELS = 200
"""Fewest texels of a view from which its gain is fitted."""
MIN_GAIN_WEIGHT = 0.5
"""Quality relative to the best view from which a view's colour counts for its gain."""
GAIN_ROUNDS = 3
"""Iterations of exposure compensation."""
GUTTER_PX = 4
"""Width by which charts are extended, so that filtering does not pick up the background [px]."""
PACKING_PX = 512
"""Side of the raster in which charts are packed; a finer one costs time and packs no tighter [px]."""
OCCLUDED_DEPTH_M = 1e-3
"""Depth that marks an occluder in front of the mesh [m]: nearer than any surface."""
UNSEEN_LEVEL = 160
"""Grey level of a mesh without any view."""


@dataclass(frozen=True, kw_only=True)
class TextureConfig:
    """Resolution of a texture and selection of its views."""

    texel_m: float = 0.0007
    """Target size of a texel on the surface [m]."""
    min_size_px: int = 128
    """Smallest side of the texture [px]."""
    max_size_px: int = 2048
    """Largest side of the texture [px]."""
    max_views: int = 24
    """Largest number of colour frames used; spread evenly over the capture."""
    color_width_px: int = 1920
    """Width at which colour frames are decoded [px]."""
    carries_objects: bool = True
    """Whether objects stand on a plane: what they covered is then filled with its own material, and their contact
    shadows are lifted. Holes of other planes are filled smoothly, in a fifth of the time."""
    depth_tolerance_m: float = 0.02
    """Largest disagreement between a texel and the view's depth [m]."""


def bake_texture(
    mesh: Mesh,
    capture: Capture,
    *,
    occluders: tuple[Mesh, ...] = (),
    one_chart: bool = True,
    config: TextureConfig | None = None,
) -> Mesh:
    """Return a world-frame mesh with UVs and a texture from the capture's colour frames.

    A mesh that has UVs keeps them; with `one_chart` they are an image of a plane, which is completed with its own
    texture under what stood on it. `occluders` are other bodies in the world frame that may hide it. Without any colour
    frame the mesh comes back as it is.
    """
    config = config or TextureConfig()
    frames = [frame for frame in capture.frames if frame.color_path is not None]
    if not frames:
        return mesh
    size = texture_size_px(mesh, config)
    charted = mesh if mesh.uv is not None else unwrap(mesh, size)
    texels = _texels(charted, size)
    selected = _select_frames(frames, charted, config)
    views = (_prepare_view(frame, charted, occluders, config) for frame in selected)
    colors, is_seen = _blend(_best_views(texels, views, config), len(selected))
    texel_m = float(np.sqrt(mesh.to_trimesh().area / max(len(texels.rows), 1)))
    texture = _fill_texture(
        texels,
        colors,
        is_seen,
        size,
        texel_m,
        one_chart=one_chart and mesh.uv is not None,
        carries_objects=config.carries_objects,
    )
    return replace(charted, colors=None, texture=texture)


def inflate(mesh: Mesh, by_m: float) -> Mesh:
    """Return a mesh offset outwards by a length [m]: near its edge, an object's pixels lie just outside its mesh.

    Texture seams are welded first, because the shell would tear along them.
    """
    welded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)
    return Mesh(
        vertices=np.asarray(welded.vertices + by_m * welded.vertex_normals),
        faces=np.asarray(welded.faces, dtype=np.int32),
    )


def texture_size_px(mesh: Mesh, config: TextureConfig) -> int:
    """Return the side of a texture of the mesh [px], a power of two: its charts fill half of it."""
    side = np.sqrt(2.0 * float(mesh.to_trimesh().area)) / config.texel_m
    return int(np.clip(2 ** round(np.log2(max(side, 1.0))), config.min_size_px, config.max_size_px))


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
    """Position and normal of each covered texel on the surface."""

    rows: Array
    columns: Array
    points: Array
    normals: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _View:
    """One colour frame with the depth of the mesh in it."""

    camera_from_world: Array
    center: Array
    matrix: Array
    color: Array
    nearest_m: Array
    sensor_m: Array
    sharpness: float


def _texels(mesh: Mesh, size: int) -> _Texels:
    assert mesh.uv is not None
    corners = np.stack([mesh.uv[:, 0] * size - 0.5, (1.0 - mesh.uv[:, 1]) * size - 0.5], axis=1)[mesh.faces]
    face = cover_texels(corners, size)
    rows, columns = np.nonzero(face >= 0)
    texel_faces = face[rows, columns]
    triangles = mesh.vertices[mesh.faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    points = place_texels(rows, columns, texel_faces, corners, triangles)
    return _Texels(rows=rows, columns=columns, points=points, normals=normals[texel_faces])


def _select_frames(frames: list[Frame], mesh: Mesh, config: TextureConfig) -> list[Frame]:
    """Return the frames that have the mesh in the picture, spread evenly over the capture."""
    seeing = [frame for frame in frames if _visible_share(frame, mesh) > MIN_VISIBLE_SHARE] or frames
    step = max(len(seeing) / config.max_views, 1.0)
    return [seeing[int(number * step)] for number in range(int(len(seeing) / step))]


def _visible_share(frame: Frame, mesh: Mesh) -> float:
    """Return the share of the mesh's vertices that project into a frame's picture."""
    camera = frame.color_camera
    assert camera is not None
    some = mesh.vertices[:: max(len(mesh.vertices) // 500, 1)]
    pixels, _ = project(transform(invert(frame.world_from_camera), some), camera)
    with np.errstate(invalid="ignore"):
        inside = (pixels >= 0.0) & (pixels <= [camera.width - 1, camera.height - 1])
    return float(inside.all(axis=1).mean())


def _prepare_view(frame: Frame, mesh: Mesh, occluders: tuple[Mesh, ...], config: TextureConfig) -> _View:
    color = frame.color(width=config.color_width_px)
    assert color is not None
    assert frame.color_camera is not None
    camera = frame.color_camera.scaled(color.shape[1], color.shape[0])
    small = frame.color_camera.scaled(640, round(640 * color.shape[0] / color.shape[1]))
    nearest = _nearest_depth_m(mesh, occluders, small, frame.world_from_camera)
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


def _nearest_depth_m(mesh: Mesh, occluders: tuple[Mesh, ...], camera: Intrinsics, world_from_camera: Array) -> Array:
    """Return the depth of a mesh [m] by pixel [h, w]; pixels in which an occluder is in front get `OCCLUDED_DEPTH_M`.

    Self-occlusion is tested with a tolerance later, but occluders without one: an object on a table would else be
    painted onto the table under it.
    """
    mesh_depth_m = render([mesh], camera, world_from_camera).depth_m
    if not occluders:
        return mesh_depth_m
    occluder_depth_m = render(list(occluders), camera, world_from_camera).depth_m
    hidden = (occluder_depth_m > 0.0) & ((mesh_depth_m <= 0.0) | (occluder_depth_m < mesh_depth_m))
    return np.where(hidden, np.float32(OCCLUDED_DEPTH_M), mesh_depth_m)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _BestViews:
    """The best views of each texel: quality [k, n], colour [k, n, 3] and number of the view [k, n]."""

    quality: Array
    color: Array
    view: Array


def _best_views(texels: _Texels, views: Iterable[_View], config: TextureConfig) -> _BestViews:
    count = len(texels.points)
    best = _BestViews(
        quality=np.zeros((VIEWS_PER_TEXEL, count), dtype=np.float32),
        color=np.zeros((VIEWS_PER_TEXEL, count, 3), dtype=np.uint8),
        view=np.zeros((VIEWS_PER_TEXEL, count), dtype=np.int32),
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


def _blend(best: _BestViews, view_count: int) -> tuple[Array, Array]:
    """Return colours uint8 [n, 3] and which texels some view observed, bool [n].

    One gain per view and channel is fitted to the blend itself, on an even share of the texels.
    """
    step = max(best.quality.shape[1] // GAIN_TEXELS, 1)
    some = [np.ascontiguousarray(array[:, ::step]) for array in (best.quality, best.color, best.view)]
    quality, color, view = some
    weights = quality / np.maximum(quality.max(axis=0), 1e-12)
    gains = np.ones((view_count, 3))
    for _ in range(GAIN_ROUNDS):
        blend = blend_views(quality, color, view, gains, BLEND_EXPONENT)
        for number in range(view_count):
            layer, texel = np.nonzero((view == number) & (weights > MIN_GAIN_WEIGHT))
            if len(texel) > MIN_GAIN_TEXELS:
                gains[number] = blend[texel].mean(axis=0) / np.maximum(color[layer, texel].mean(axis=0), 1.0)
        gains /= gains.mean(axis=0)
    colors = blend_views(best.quality, best.color, best.view, gains, BLEND_EXPONENT)
    return colors, best.quality[0] > 0.0


def _fill_texture(
    texels: _Texels,
    colors: Array,
    is_seen: Array,
    size: int,
    texel_m: float,
    *,
    one_chart: bool,
    carries_objects: bool,
) -> Array:
    """Return the texture uint8 [size, size, 3], texels of `texel_m` [m], with unobserved ones and gutters filled."""
    texture = np.full((size, size, 3), UNSEEN_LEVEL, dtype=np.uint8)
    is_filled = np.zeros((size, size), dtype=bool)
    if one_chart:
        texture[texels.rows[is_seen], texels.columns[is_seen]] = colors[is_seen]
        is_filled[texels.rows, texels.columns] = is_seen
        is_surface = np.zeros((size, size), dtype=bool)
        is_surface[texels.rows, texels.columns] = True
        if not carries_objects:
            return fill_in_image(texture, is_filled)
        return complete_plane(texture, is_filled, is_surface, texel_m)
    fill_on_surface(texels.points, colors, is_seen)
    if is_seen.any():
        texture[texels.rows, texels.columns] = colors
    is_filled[texels.rows, texels.columns] = True
    return fill_gutters(texture, is_filled)
