"""What people look at: photos, segments over them, the twin from the same cameras, previews in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cousins.capture.captures import Capture, Frame
from cousins.fidelity.comparison import EXPLAINED, MISSING, PHANTOM, UNLIT, compare_frame
from cousins.fidelity.support import SupportConfig
from cousins.fusion.volume import color_at_depth
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.raster import ShadingData, ShadingLight, prepare_shading, render, shade
from cousins.scene.scenes import PlacedAsset, Scene, visual_meshes
from cousins.segment.segments import Segmentation
from flows.reporting.glb import Part, fit_glb
from sim.synthetic.shadow_maps import shadow_maps, visibility

VIEWS = 6
"""Photos shown, spread evenly over the capture."""
WIDTH_PX = 640
"""Width of a photo [px]."""
PREVIEW_PX = (1280, 960)
"""Size of preview.png [px]."""
SUPERSAMPLES = 2
"""Rays per preview pixel along each axis."""
MOST_GLB_BYTES = 10_000_000
"""Largest preview.glb."""
PORTRAIT = ShadingLight(lamp=0.42, ambient=0.72, ground=0.8)
"""A mild lamp for the preview: textures are lit already."""
NO_PHOTO = (236, 238, 241)
"""sRGB background where the twin shows nothing."""
RISE_DEG = 25.0
"""How far above the horizon the portrait is taken from [deg]: how one looks at a table."""
ROOM_RISE_DEG = 58.0
"""The same for a room, so that one looks over its walls [deg]."""
EVERY_PIXEL = SupportConfig(max_pixels_per_frame=1 << 30)
"""Compares all pixels of a frame."""
AGREEMENT_COLORS = {EXPLAINED: (60, 170, 90), MISSING: (40, 110, 230), PHANTOM: (225, 40, 40)}
"""sRGB colours of the classes of pixels."""
PALETTE = (
    (230, 92, 58),
    (46, 134, 222),
    (38, 166, 91),
    (245, 176, 65),
    (142, 80, 190),
    (20, 170, 170),
    (214, 60, 130),
    (120, 140, 40),
    (90, 100, 220),
    (150, 95, 60),
)
"""sRGB colours of the segments, in their order, again from the start after the last."""


def draw_pictures(capture: Capture, segmentation: Segmentation, scene: Scene, folder: Path) -> None:
    """Write {photo,segments,twin,fidelity}_N.jpg by view, preview.png, preview.glb and view.glb."""
    meshes = visual_meshes(scene)
    looks = [prepare_shading(mesh) for mesh in meshes]
    views = chosen_views(capture)
    for number, frame in enumerate(views):
        photo = frame.color(width=WIDTH_PX)
        height = round(WIDTH_PX * frame.depth_camera.height / frame.depth_camera.width) if photo is None else len(photo)
        camera = (frame.color_camera or frame.depth_camera).scaled(WIDTH_PX, height)
        picture = depth_picture(frame, WIDTH_PX, height) if photo is None else photo
        raster = render(meshes, camera, frame.world_from_camera)
        twin = shade(raster, meshes, shading_data=looks, light=UNLIT, background=NO_PHOTO)
        save(picture, folder / f"photo_{number}.jpg")
        save(tinted(picture, segmentation, frame), folder / f"segments_{number}.jpg")
        save(twin, folder / f"twin_{number}.jpg")
        save(agreement_picture(meshes, capture, frame), folder / f"fidelity_{number}.jpg")
    side = views[len(views) // 2].world_from_camera[:2, 3]
    _save_scene(scene, meshes, portrait(scene, meshes, looks, side), folder)


def draw_scene(scene: Scene, folder: Path) -> None:
    """Write preview.png, preview.glb and view.glb of a scene without photos, seen from above over its walls."""
    meshes = visual_meshes(scene)
    looks = [prepare_shading(mesh) for mesh in meshes]
    low = np.concatenate([mesh.vertices for mesh in meshes]).min(axis=0)
    _save_scene(scene, meshes, portrait(scene, meshes, looks, low[:2], rise_deg=ROOM_RISE_DEG), folder)


def _save_scene(scene: Scene, meshes: Sequence[Mesh], picture: Array, folder: Path) -> None:
    save(picture, folder / "preview.png")
    visuals = [Part(name=name, mesh=mesh) for name, mesh in zip(body_names(scene), meshes, strict=True)]
    (folder / "preview.glb").write_bytes(fit_glb(visuals, MOST_GLB_BYTES))
    (folder / "view.glb").write_bytes(fit_glb([*visuals, *collision_parts(scene)], MOST_GLB_BYTES))


def chosen_views(capture: Capture) -> list[Frame]:
    """Return the frames to show: those with colour where there are any, spread over the capture."""
    colored = [frame for frame in capture.frames if frame.color_path is not None] or list(capture.frames)
    numbers = np.unique(np.linspace(0, len(colored) - 1, min(VIEWS, len(colored))).round().astype(int))
    return [colored[number] for number in numbers]


def body_names(scene: Scene) -> list[str]:
    """Return the names of the bodies that the `visual_meshes` of a scene belong to."""
    names = [structure.name for structure in scene.structures]
    return names + [placed.asset.name for placed in scene.objects for _ in placed.asset.links]


def link_poses(placed: PlacedAsset) -> dict[str, Array]:
    """Return `world_from_link` [4, 4] by link name with all joints at 0."""
    poses = {placed.asset.links[0].name: placed.world_from_asset}
    waiting = list(placed.asset.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in poses]
        poses |= {joint.child: poses[joint.parent] @ joint.parent_from_child for joint in ready}
        waiting = [joint for joint in waiting if joint.child not in poses]
    return poses


def collision_parts(scene: Scene) -> list[Part]:
    """Return every collision piece of the objects in the world frame, each in a colour of its own."""
    parts = []
    for placed in scene.objects:
        poses = link_poses(placed)
        pieces = [(poses[link.name], piece) for link in placed.asset.links for piece in link.pieces]
        for index, (pose, piece) in enumerate(pieces):
            red, green, blue = (value / 255.0 for value in PALETTE[index % len(PALETTE)])
            mesh = piece.mesh.transformed(pose)
            parts.append(Part(name=placed.asset.name, mesh=mesh, group="collision", tint=(red, green, blue)))
    return parts


def tinted(photo: Array, segmentation: Segmentation, frame: Frame) -> Array:
    """Return the photo, uint8 [h, w, 3], with every segment in its colour and outlined."""
    image = photo.astype(np.float64)
    size = (photo.shape[1], photo.shape[0])
    for index, segment in enumerate(segmentation.segments):
        mask = segment.masks.get(frame.index)
        if mask is None or not mask.any():
            continue
        soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
        inside = np.asarray(soft) > 127
        edge = ndimage.binary_dilation(inside, iterations=2) & ~ndimage.binary_erosion(inside, iterations=1)
        color = np.array(PALETTE[index % len(PALETTE)], dtype=np.float64)
        image[inside] = 0.6 * image[inside] + 0.4 * color
        image[edge] = color
    return np.rint(image).astype(np.uint8)


def agreement_picture(meshes: Sequence[Mesh], capture: Capture, frame: Frame) -> Array:
    """Return a frame's picture in grey, uint8 [h, w, 3], with each class of its supported pixels in a colour."""
    compared = compare_frame(meshes, None, capture, frame, EVERY_PIXEL)
    photo = color_at_depth(frame)
    camera = frame.depth_camera
    picture = depth_picture(frame, camera.width, camera.height) if photo is None else photo
    image = picture.astype(np.float64).mean(axis=2, keepdims=True).repeat(3, axis=2)
    for kind, color in AGREEMENT_COLORS.items():
        is_kind = compared.comparison.classes == kind
        image[is_kind] = 0.45 * image[is_kind] + 0.55 * np.array(color)
    height = round(WIDTH_PX * camera.height / camera.width)
    return np.asarray(Image.fromarray(np.rint(image).astype(np.uint8)).resize((WIDTH_PX, height)))


def depth_picture(frame: Frame, width: int, height: int) -> Array:
    """Return the depth as grey, uint8 [h, w, 3], near is light, for a frame without colour."""
    depth = np.asarray(Image.fromarray(frame.depth_m).resize((width, height), Image.Resampling.NEAREST))
    is_measured = depth > 0.0
    near, far = np.percentile(depth[is_measured], [2, 98]) if is_measured.any() else (0.0, 1.0)
    grey = 235.0 - 190.0 * np.clip((depth - near) / max(far - near, 1e-6), 0.0, 1.0)
    return np.repeat(np.where(is_measured, grey, 20.0).astype(np.uint8)[..., None], 3, axis=2)


def portrait(
    scene: Scene, meshes: Sequence[Mesh], looks: Sequence[ShadingData], side: Array, *, rise_deg: float = RISE_DEG
) -> Array:
    """Return a picture of the objects, seen from the side of a place [2] in the world's plane, with soft shadows."""
    subjects = meshes[len(scene.structures) :] or meshes
    points = np.concatenate([mesh.vertices for mesh in subjects])
    low, high = points.min(axis=0), points.max(axis=0)
    center, radius = (low + high) / 2.0, float(np.linalg.norm(high - low)) / 2.0
    eye = _vantage(center, radius, side, rise_deg)
    width, height = (length * SUPERSAMPLES for length in PREVIEW_PX)
    focal = 1.6 * height
    camera = Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2)
    raster = render(meshes, camera, look_at(eye, center))
    lamp = PORTRAIT
    maps = shadow_maps(meshes, np.array(lamp.direction), center, 1.6 * radius)
    image = shade(
        raster, meshes, shading_data=looks, light=lamp, visibility=visibility(raster, looks, maps), background=NO_PHOTO
    )
    small = image.reshape(PREVIEW_PX[1], SUPERSAMPLES, PREVIEW_PX[0], SUPERSAMPLES, 3).mean(axis=(1, 3))
    return np.rint(small).astype(np.uint8)


def save(image: Array, path: Path) -> None:
    """Write a picture, uint8 [h, w, 3], as JPEG or PNG by the suffix of its path."""
    Image.fromarray(image).save(path, quality=88)


def _vantage(center: Array, radius: float, side: Array, rise_deg: float) -> Array:
    """Return a place above the horizon on one side of the objects [m], far enough to see all."""
    aside = side - center[:2]
    angle = float(np.arctan2(aside[1], aside[0]))
    rise = float(np.deg2rad(rise_deg))
    away = np.array([np.cos(angle) * np.cos(rise), np.sin(angle) * np.cos(rise), np.sin(rise)])
    return np.asarray(center + 3.6 * radius * away)
