"""Assemble a scene: structures from planes, added supports, a repaired layout, relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.texture.baking import TextureConfig, bake_texture, inflate, texture_size_px
from cousins.reconstruct.texture.triangle_atlas import min_texture_px, pack_triangles
from cousins.scene.layout.added_supports import SUPPORT_REACH_M, added_supports, footprint
from cousins.scene.layout.collision_bodies import (
    CollisionBody,
    asset_body,
    body_corners,
    find_overlaps,
    scene_bodies,
    structure_body,
)
from cousins.scene.layout.hanging import hang_objects
from cousins.scene.layout.relations import find_relations
from cousins.scene.layout.remainder import coarse_boxes_note, find_remainder
from cousins.scene.layout.repair import RepairReport, overlap_warnings, repair
from cousins.scene.layout.structures import (
    DEFAULT_FRICTION,
    DEFAULT_RESTITUTION,
    join_corners,
    level_plane,
    structure_from_plane,
)
from cousins.scene.scenes import PlacedAsset, Scene, Structure, hanging_supports, visual_meshes
from cousins.segment.segments import Plane, Segmentation

NOTABLE_MOVE_M: Final = 0.01
"""An object that the layout moves further than noise explains [m]: three sigmas; said in the fallbacks."""
MAX_STRUCTURE_OVERLAP_M: Final = 0.03
"""A plane that carries nothing and cuts this deep into an object is part of the object, not structure [m]."""
TEXTURE_BLUR_M: Final = 0.008
"""How far an object's colours may lie beyond its mesh in a photo [m]: pose drift and range bias together."""
TEXTURE_CONFIGS: Final = {
    "table": TextureConfig(texel_m=0.0015, max_size_px=1024, max_views=16),
    "floor": TextureConfig(texel_m=0.003, max_size_px=1024, max_views=16, color_width_px=960),
    "wall": TextureConfig(texel_m=0.004, max_size_px=1024, max_views=16, color_width_px=960, carries_objects=False),
    "remainder": TextureConfig(texel_m=0.002, max_size_px=2048, max_views=48, color_width_px=960),
}
"""How finely structure is painted: as fine as a phone 0.7, 1.5 and 2.5 m away sees it."""
REMAINDER: Final = "remainder"
"""Name of the structure that holds what no other structure and no object explains."""


def assemble(
    name: str,
    built: Sequence[tuple[Asset, Array]],
    segmentation: Segmentation,
    capture: Capture,
    *,
    surface: Mesh | None = None,
    capture_digest: str = "",
    warnings: tuple[str, ...] = (),
    fallbacks: tuple[str, ...] = (),
    draft: bool = False,
) -> Scene:
    """Return the scene that a capture shows: `built` holds assets and poses `world_from_asset` [4, 4].

    Supports level within noise are made exactly level; what hangs is fixed to its wall; where no plane carries another
    object, one is added and noted in the fallbacks; objects are moved onto what carries them and out of each other.
    `surface` is the `plain_surface` of the capture's frames; it is made here where it is not given. A `draft` ends
    before structure is painted and the remainder is found.
    """
    objects = tuple(PlacedAsset(asset=asset, world_from_asset=pose) for asset, pose in built)
    bodies = {placed.asset.name: asset_body(placed.asset).transformed(placed.world_from_asset) for placed in objects}
    structures, sources, notes = _structures(segmentation, bodies)
    scene = Scene(
        name=name,
        structures=tuple(structures),
        objects=objects,
        relations=(),
        scale=capture.scale,
        capture_digest=capture_digest,
        warnings=(*warnings, *capture.warnings, *segmentation.warnings),
        fallbacks=(*fallbacks, *notes),
    )
    scene, hanging = hang_objects(scene, frames=capture.frames)
    bodies = {name: body for name, body in scene_bodies(scene).items() if body.movable}
    added, floating, support_notes = added_supports(
        bodies, structures, capture.frames, hanging={item.name for item in hanging}
    )
    sources |= {structure.name: (plane, []) for structure, plane in added}
    scene = replace(
        scene,
        structures=(*structures, *(structure for structure, _ in added)),
        objects=tuple(placed for placed in scene.objects if placed.asset.name not in floating),
        fallbacks=(*scene.fallbacks, *support_notes),
    )
    scene, report = repair(scene)
    scene = replace(scene, warnings=(*scene.warnings, *overlap_warnings(report)))
    scene = replace(scene, fallbacks=(*scene.fallbacks, *_move_notes(report)))
    scene = _supports_first(replace(scene, relations=find_relations(scene)))
    scene = replace(scene, structures=_opened(scene, sources, capture))
    if draft:
        return scene
    scene = _textured(scene, capture)
    meshes = visual_meshes(scene)
    remainder = find_remainder(
        meshes[: len(scene.structures)],
        meshes[len(scene.structures) :],
        [body for body in scene_bodies(scene).values() if body.movable],
        capture.frames,
        surface=surface,
    )
    if remainder is None:
        return scene
    visual, boxes = remainder
    structure = Structure(
        name=REMAINDER,
        kind="remainder",
        visual=_textured_remainder(visual, meshes[len(scene.structures) :], capture),
        pieces=boxes,
        friction=DEFAULT_FRICTION,
        restitution=DEFAULT_RESTITUTION,
    )
    fallbacks = (*scene.fallbacks, *coarse_boxes_note(boxes))
    return replace(scene, structures=(*scene.structures, structure), fallbacks=fallbacks)


def _opened(scene: Scene, sources: Mapping[str, tuple[Plane, list[Array]]], capture: Capture) -> tuple[Structure, ...]:
    """Return the structures without what the frames look through.

    They stay under objects where they stand by now, and behind what hangs on them.
    """
    bodies = scene_bodies(scene)
    hanging = hanging_supports(scene)
    walls = [plane for plane, _ in sources.values() if plane.kind == "wall"]
    opened = []
    for structure in scene.structures:
        if structure.name not in sources:
            opened.append(structure)
            continue
        plane, feet = sources[structure.name]
        standing = {relation.subject for relation in scene.relations if relation.object == structure.name}
        feet = [*feet, *(footprint(bodies[name]) for name in sorted(standing) if plane.kind != "wall")]
        backs = [body_corners(bodies[name]) for name, support in hanging.items() if support == structure.name]
        around = [wall for wall in walls if wall is not plane]
        opened.append(structure_from_plane(plane, [*feet, *backs], capture.frames, walls=around))
    return tuple(opened)


def _structures(
    segmentation: Segmentation, bodies: dict[str, CollisionBody]
) -> tuple[list[Structure], dict[str, tuple[Plane, list[Array]]], list[str]]:
    """Return the planes as whole structures, the levelled plane and the feet on it by name, and notes."""
    objects_on = {plane.name: _objects_on(plane, segmentation, bodies) for plane in segmentation.planes}
    structures: list[Structure] = []
    sources: dict[str, tuple[Plane, list[Array]]] = {}
    notes: list[str] = []
    for plane in join_corners(segmentation.planes):
        feet = [footprint(bodies[name]) for name in objects_on[plane.name]]
        pivot = np.concatenate(feet or [plane.outline]).mean(axis=0)
        level = level_plane(plane, pivot)
        structure = structure_from_plane(level, feet)
        intersected = _intersected_object(structure, bodies) if not feet and plane.kind == "table" else None
        if intersected is None:
            structures.append(structure)
            sources[structure.name] = level, feet
        else:
            notes.append(f"plane {plane.name} was dropped: it carries nothing and runs through {intersected}")
    return structures, sources, notes


def _objects_on(plane: Plane, segmentation: Segmentation, bodies: dict[str, CollisionBody]) -> list[str]:
    """Return the names of the objects whose underside is within reach of a level plane and in part over it."""
    if plane.kind == "wall":
        return []
    support_by_object = {segment.name: segment.support for segment in segmentation.segments}
    slab = structure_body(structure_from_plane(plane, []))
    names = []
    for name, body in bodies.items():
        foot = footprint(body)
        height = float(plane.normal @ foot.mean(axis=0) - plane.offset_m)
        low, high = foot[:, :2].min(axis=0), foot[:, :2].max(axis=0)
        overlaps_slab = bool(np.all(high >= slab.box.low[:2]) and np.all(low <= slab.box.high[:2]))
        if abs(height) <= SUPPORT_REACH_M and (
            support_by_object.get(name) == plane.name or (support_by_object.get(name) is None and overlaps_slab)
        ):
            names.append(name)
    return names


def _intersected_object(structure: Structure, bodies: dict[str, CollisionBody]) -> str | None:
    slab = structure_body(structure)
    for name, body in bodies.items():
        if any(
            pair.depth_m > MAX_STRUCTURE_OVERLAP_M
            for pair in find_overlaps(body, slab, tolerance_m=MAX_STRUCTURE_OVERLAP_M)
        ):
            return name
    return None


def _move_notes(report: RepairReport) -> list[str]:
    return [
        f"{name} was moved by {1000.0 * moved:.0f} mm to stand free and on its support"
        for name, moved in report.moved_m.items()
        if moved > NOTABLE_MOVE_M
    ]


def _supports_first(scene: Scene) -> Scene:
    supports: dict[str, set[str]] = {placed.asset.name: set() for placed in scene.objects}
    for relation in scene.relations:
        if relation.kind in ("on", "inside") and relation.object in supports:
            supports[relation.subject].add(relation.object)
    remaining = list(scene.objects)
    ordered: list[PlacedAsset] = []
    while remaining:
        placed_names = {placed.asset.name for placed in ordered}
        ready = [placed for placed in remaining if supports[placed.asset.name] <= placed_names] or remaining[:1]
        ordered.append(ready[0])
        remaining = [placed for placed in remaining if placed is not ready[0]]
    return replace(scene, objects=tuple(ordered))


def _textured(scene: Scene, capture: Capture) -> Scene:
    """Return the scene with coloured structures; what stands before one, objects and table tops, hides it."""
    objects = tuple(inflate(mesh, TEXTURE_BLUR_M) for mesh in visual_meshes(scene)[len(scene.structures) :])
    tops = {
        structure.name: tuple(inflate(piece.mesh, TEXTURE_BLUR_M) for piece in structure.pieces)
        for structure in scene.structures
        if structure.kind == "table"
    }
    structures = []
    for structure in scene.structures:
        hiding = tuple(mesh for name, meshes in tops.items() if name != structure.name for mesh in meshes)
        visual = bake_texture(
            structure.visual, capture, occluders=(*objects, *hiding), config=TEXTURE_CONFIGS[structure.kind]
        )
        structures.append(replace(structure, visual=visual))
    return replace(scene, structures=tuple(structures))


def _textured_remainder(visual: Mesh, objects: Sequence[Mesh], capture: Capture) -> Mesh:
    """Return the surface of the remainder with a texture, or as it is where no frame has colour."""
    if all(frame.color_path is None for frame in capture.frames):
        return visual
    config = TEXTURE_CONFIGS["remainder"]
    config = replace(config, min_size_px=max(config.min_size_px, min_texture_px(len(visual.faces))))
    return bake_texture(
        pack_triangles(visual, texture_size_px(visual, config)),
        capture,
        occluders=tuple(inflate(mesh, TEXTURE_BLUR_M) for mesh in objects),
        one_chart=False,
        config=config,
    )
