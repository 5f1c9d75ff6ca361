"""Find what hangs: objects without a support below that a wall or a ceiling carries, and fix them where they hang.

An object hangs where nothing is within reach below it and its back, or its top, is within reach of a wall, or of a
ceiling, that backs at least half of it. Kinds that hang by nature, such as televisions, may be as far off as their
brackets or cords reach. Other kinds must be as near as noise explains, and a warning says that they hang. Where there
are depth images, these must have looked through the space below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array, rigid
from cousins.scene.layout.attachment import Attachment, find_attachments
from cousins.scene.layout.collision_bodies import (
    CollisionBody,
    asset_body,
    body_corners,
    clearance_below,
    find_overlaps,
    scene_bodies,
)
from cousins.scene.layout.observed_region import count_structure_observations, is_looked_through
from cousins.scene.scenes import PlacedAsset, Relation, Scene, Structure, hanging_supports

WALL_KINDS: Final = frozenset(
    (
        *("television", "tv", "picture", "painting", "poster", "mirror", "clock", "whiteboard", "blackboard"),
        *("storage", "cabinet", "cupboard", "shelf", "rack", "hook", "sink", "washbasin", "radiator", "hood"),
        *("lamp", "light", "sconce", "curtain", "blind", "extinguisher", "thermostat", "conditioner"),
    )
)
"""Words of labels whose things often hang on walls; RoomPlan calls all cupboards `storage`."""
CEILING_KINDS: Final = frozenset(("lamp", "light", "chandelier", "fan", "projector"))
"""Words of labels whose things often hang under ceilings."""
CONTACT_GAP_M: Final = 1e-5
"""Gap left to the wall by an object that was moved out of it [m]: ten times the rounding of written lengths."""
BELOW_LEVELS_M: Final = (0.05, 0.08)
"""Distances below an object's underside at which its depth images are asked for free space [m]: beyond the depth
noise of its own lower edge, within the thickness and the overhang of a board that would carry it."""
CLEAR_OF_WALL_M: Final = 0.12
"""Least distance from the wall of these points [m]: twice the tolerance of a depth at 4 m, which sees the wall."""
SAMPLES_PER_SIDE: Final = 5
"""Points along each side of the rectangle below an object that are asked for."""
MIN_FREE_FRACTION: Final = 0.5
"""Least part of the points below an object that must be seen through: the majority."""


@dataclass(frozen=True, kw_only=True)
class HangingConfig:
    """How near an object must be to what carries it."""

    support_reach_m: float = 0.05
    """An object whose underside is this near to anything below, or this deep in it, stands on it [m]."""
    wall_reach_m: float = 0.05
    """An object of any kind whose back is this near to a wall, or this deep in it, may hang on it [m]."""
    bracket_reach_m: float = 0.3
    """The same for kinds that hang by nature [m]: brackets of televisions and lamps, half extended."""
    cord_reach_m: float = 1.5
    """The same between a lamp and the ceiling above [m]: common cords of pendant lamps."""


def layout_scan_hanging() -> HangingConfig:
    """Return the settings for rooms of typed boxes, whose places err by some centimetres.

    In public scans boxes reach up to 8 cm into walls and stand up to 3 cm in what carries them.
    """
    return HangingConfig(support_reach_m=0.1, wall_reach_m=0.15)


@dataclass(frozen=True, kw_only=True)
class Hanging:
    """An object that hangs."""

    name: str
    """Name of the object."""
    structure: str
    """Name of the wall or ceiling that carries it."""
    gap_m: float
    """Gap between them [m]; 0 where the object was moved out of the wall."""
    by_nature: bool
    """Whether things of its kind often hang so."""


def hang_objects(
    scene: Scene, *, config: HangingConfig | None = None, frames: Sequence[Frame] | None = None
) -> tuple[Scene, tuple[Hanging, ...]]:
    """Return the scene with what hangs fixed to its wall or ceiling by a relation `hangs on`, and what hangs.

    Poses change only where an object was inside its wall. Without `frames` the geometry of the scene decides alone.
    Warnings name the objects that hang although their kind seldom does.
    """
    config = HangingConfig() if config is None else config
    bodies = scene_bodies(scene)
    hanging: list[Hanging] = []
    objects: list[PlacedAsset] = []
    for placed in scene.objects:
        body, label = bodies[placed.asset.name], placed.asset.label
        attachment = None if placed.fixed else _carrying(body, label, bodies, scene.structures, config, frames)
        if attachment is None:
            objects.append(placed)
            continue
        way_out_m = max(0.0, CONTACT_GAP_M - attachment.gap_m)
        move = rigid(translation=way_out_m * attachment.outward)
        objects.append(replace(placed, world_from_asset=move @ placed.world_from_asset, fixed=True))
        hanging.append(
            Hanging(
                name=placed.asset.name,
                structure=attachment.structure,
                gap_m=max(0.0, attachment.gap_m),
                by_nature=hangs_by_nature(label, attachment.kind),
            )
        )
    relations = [Relation(kind="hangs on", subject=item.name, object=item.structure) for item in hanging]
    warnings = [_unusual_warning(item, config) for item in hanging if not item.by_nature]
    hung_scene = replace(
        scene,
        objects=tuple(objects),
        relations=(*scene.relations, *relations),
        warnings=(*scene.warnings, *warnings),
    )
    return hung_scene, tuple(hanging)


def attachment_gaps(scene: Scene) -> dict[str, tuple[float, float]]:
    """Return by name of each hanging object its gap to what it hangs on and the longest bracket or cord [m].

    The gap is infinite where the wall or ceiling is not behind at least half of the object.
    """
    structures = {structure.name: structure for structure in scene.structures}
    placed_by_name = {placed.asset.name: placed for placed in scene.objects}
    config = HangingConfig()
    gaps = {}
    for name, support in hanging_supports(scene).items():
        placed = placed_by_name[name]
        body = asset_body(placed.asset).transformed(placed.world_from_asset)
        attachments = find_attachments(body, [structures[support]])
        gap_m = max(0.0, attachments[0].gap_m) if attachments else np.inf
        is_ceiling = structures[support].kind == "ceiling"
        gaps[name] = float(gap_m), config.cord_reach_m if is_ceiling else config.bracket_reach_m
    return gaps


def hangs_by_nature(label: str, structure_kind: str) -> bool:
    """Return whether things of a label often hang on a structure of a kind, `wall` or `ceiling`."""
    kinds = CEILING_KINDS if structure_kind == "ceiling" else WALL_KINDS
    return any(word in kinds for word in re.findall(r"[a-z]+", label.lower()))


def is_supported(body: CollisionBody, bodies: Mapping[str, CollisionBody], reach_m: float) -> bool:
    """Return whether an object has something within reach below, or is that deep in another object that may hold it."""
    for other in bodies.values():
        if other.name == body.name:
            continue
        if clearance_below(body, other, reach_m=reach_m) <= reach_m:
            return True
        if other.movable and find_overlaps(body, other, tolerance_m=reach_m):
            return True
    return False


def _carrying(
    body: CollisionBody,
    label: str,
    bodies: Mapping[str, CollisionBody],
    structures: Sequence[Structure],
    config: HangingConfig,
    frames: Sequence[Frame] | None,
) -> Attachment | None:
    """Return the attachment by which an object hangs; None where it stands, or nothing carries it.

    Of several, walls come before ceilings, and what backs more of it before what backs less.
    """
    if is_supported(body, bodies, config.support_reach_m):
        return None
    within_reach = [
        attachment
        for attachment in find_attachments(body, structures)
        if -config.wall_reach_m <= attachment.gap_m <= _reach_m(label, attachment.kind, config)
    ]
    if frames is not None:
        within_reach = [item for item in within_reach if _is_free_below(body, item, label, frames)]
    return min(
        within_reach,
        key=lambda item: (item.kind == "ceiling", -round(item.backed_m2, 6), abs(item.gap_m), item.structure),
        default=None,
    )


def _reach_m(label: str, structure_kind: str, config: HangingConfig) -> float:
    if not hangs_by_nature(label, structure_kind):
        return config.wall_reach_m
    return config.cord_reach_m if structure_kind == "ceiling" else config.bracket_reach_m


def _is_free_below(body: CollisionBody, attachment: Attachment, label: str, frames: Sequence[Frame]) -> bool:
    """Return whether frames looked through most of the space below an object.

    Below its front edge, where a board that carries it would show, and for kinds that seldom hang also under it.
    """
    under, front = _points_below(body, attachment)
    areas = (front,) if hangs_by_nature(label, attachment.kind) else (front, under)
    for points in areas:
        measured, through = count_structure_observations(points, frames)
        if is_looked_through(measured, through).mean() < MIN_FREE_FRACTION:
            return False
    return True


def _points_below(body: CollisionBody, attachment: Attachment) -> tuple[Array, Array]:
    """Return points [n, 3] below the middle of an object, and below its side that faces away from the wall.

    Points near the wall are moved away from it by `CLEAR_OF_WALL_M`; under a ceiling both are the same.
    """
    low, high = body.box.low, body.box.high
    inner = np.linspace(0.25, 0.75, SAMPLES_PER_SIDE)
    x, y = (grid.ravel() for grid in np.meshgrid(*(low[axis] + inner * (high - low)[axis] for axis in (0, 1))))
    under = np.concatenate([np.stack([x, y, np.full_like(x, low[2] - level)], axis=1) for level in BELOW_LEVELS_M])
    if attachment.kind == "ceiling":
        return under, under
    away = attachment.outward * np.array([1.0, 1.0, 0.0])
    away /= np.linalg.norm(away)
    corners = body_corners(body)
    nearest_m = float((corners @ attachment.outward).min()) - attachment.gap_m + CLEAR_OF_WALL_M
    across = under @ away
    front_m = max(float((corners @ away).max()), nearest_m)
    clear_of_wall = np.maximum(across, nearest_m)
    return under + (clear_of_wall - across)[:, None] * away, under + (front_m - across)[:, None] * away


def _unusual_warning(item: Hanging, config: HangingConfig) -> str:
    return (
        f"{item.name} hangs on {item.structure} and cannot move: nothing is within "
        f"{100.0 * config.support_reach_m:.0f} cm below it, and the gap to {item.structure} is "
        f"{100.0 * item.gap_m:.0f} cm. Things of its kind seldom hang: look whether it does."
    )
