"""Pictures of a scene beside its twin: as it is, as the twin has it, and each object of the twin in a colour."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics, invert, look_at
from cousins.meshes import Mesh
from cousins.raster import render, shade
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.scenes import Scene, visual_meshes
from places.place import Place
from places.recording import Recording, twin_from_truth
from places.scanning import Scanned

CAMERA: Final = Intrinsics(width=520, height=390, fx=392.0, fy=392.0, cx=259.5, cy=194.5)
"""Camera of the pictures: that of a phone, smaller."""
GREY: Final = (170, 170, 170)
"""sRGB of structure where objects are coloured."""
DARK: Final = (90, 90, 110)
"""sRGB of the remainder where objects are coloured."""


def draw_beside(place: Place, recording: Recording, scanned: Scanned, path: Path) -> None:
    """Write views of truth, twin, and the twin's objects in colours, one below the other."""
    world = twin_from_truth(scanned.capture, recording.truth)
    truth = [item.mesh for item in place.items.values()] + [mesh for _, mesh in place.structures]
    back = invert(world)
    twin = [mesh.transformed(back) for mesh in visual_meshes(scanned.scene)]
    colored = [mesh.transformed(back) for mesh in _by_object(scanned.scene)]
    rows = []
    for pose in _views(place, recording):
        panels = [shade(render(meshes, CAMERA, pose), meshes) for meshes in (truth, twin, colored)]
        rows.append(np.concatenate(panels, axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)


def _views(place: Place, recording: Recording) -> Sequence[Array]:
    """Return poses [4, 4]: two of the film's own, and one from higher up."""
    poses = recording.truth.world_from_camera
    points = np.concatenate([item.mesh.vertices for item in place.items.values()])
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    away = poses[0][:3, 3] - middle
    reach = max(0.8, 1.1 * float(np.linalg.norm(np.ptp(points, axis=0))))
    side = np.array([away[1], -away[0], 0.0]) / max(float(np.linalg.norm(away[:2])), 1e-6)
    eye = middle + reach * (0.6 * side + np.array([0.0, 0.0, 0.8]))
    return [poses[len(poses) // 4], poses[(3 * len(poses)) // 4], look_at(eye, middle)]


def _by_object(scene: Scene) -> list[Mesh]:
    """Return the meshes of a scene, objects in bright colours, structure grey."""
    meshes = [
        _painted(structure.visual, DARK if structure.kind == "remainder" else GREY) for structure in scene.structures
    ]
    for number, placed in enumerate(scene.objects):
        red, green, blue = colorsys.hsv_to_rgb((0.381966 * number) % 1.0, 0.55 if placed.fixed else 0.9, 0.95)
        poses = asset_from_links(placed.asset)
        for link in placed.asset.links:
            mesh = link.visual.transformed(placed.world_from_asset @ poses[link.name])
            meshes.append(_painted(mesh, (int(255 * red), int(255 * green), int(255 * blue))))
    return meshes


def _painted(mesh: Mesh, color: tuple[int, int, int]) -> Mesh:
    colors = np.tile(np.array(color, dtype=np.uint8), (len(mesh.vertices), 1))
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, colors=colors)
