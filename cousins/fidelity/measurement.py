"""Measure how much of what the frames of a capture saw a twin explains, and give a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture
from cousins.fidelity.comparison import (
    EXPLAINED,
    MISSING,
    PHANTOM,
    ComparedFrame,
    compare_with_capture,
    psnr_db,
    share,
    supported_by_frame,
    total_counts,
)
from cousins.fidelity.plain_fusion import (
    PlainFusion,
    measure_plain_fusion,
    unexplained_area_m2,
)
from cousins.fidelity.support import SupportConfig
from cousins.fidelity.verdict import Verdict, VerdictConfig, give_verdict
from cousins.fusion.plain_surface import plain_surface
from cousins.geometry import transform, unproject
from cousins.meshes import Mesh
from cousins.scene.scenes import Scene, hanging_supports, visual_meshes
from cousins.segment.segments import Segmentation

OBJECT_REACH_M: Final = 0.015
"""A measured point this near to a segment's points belongs to the segment [m]."""


@dataclass(frozen=True, kw_only=True)
class ObjectFidelity:
    """How well one object agrees with the frames, over the pixels that show it."""

    name: str
    """Name of the object."""
    pixels: int
    """Supported pixels that show it."""
    explained: float
    """Share of them where the twin is within tolerance."""
    missing: float
    """Share where the twin is behind what was measured, or absent."""
    phantom: float
    """Share where the twin is in front of what was measured."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How well a twin agrees with what was measured."""

    frames: int
    """Frames compared."""
    held_out: bool
    """Whether no part of the twin was made from these frames."""
    on_other_views: bool
    """Whether other frames had to confirm a pixel; False for a single view, which is compared with itself."""
    pixels: int
    """Supported pixels."""
    explained: float
    """Share of them where the twin is within tolerance."""
    missing: float
    """Share where the twin is behind what was measured, or absent."""
    phantom: float
    """Share where the twin is in front of what was measured: a robot would collide with it."""
    color_db: float | None
    """Peak signal-to-noise ratio of the colours of explained pixels after one gain by frame and channel [dB]."""
    remainder: float
    """Share of the explained pixels that only the remainder explains."""
    plain: PlainFusion | None
    """How much plain fusion of the frames that the twin was made of explains; None for a single view."""
    surface_m2: float
    """Area of that fused surface [m²]: what the frames show."""
    unexplained_m2: float
    """Area of it that is near no structure, object or remainder [m²]."""
    objects: tuple[ObjectFidelity, ...]
    """One by object that has supported pixels."""
    movable_objects: int
    """Number of objects that can move."""
    fixed_objects: int
    """Number of objects that were fixed in place because they do not stand; what hangs is not among them."""
    hanging_objects: int
    """Number of objects that hang on a wall or a ceiling and cannot move."""
    verdict: Verdict
    """Verdict by the limits of `VerdictConfig`."""
    advice: str
    """What to look at, or how to scan again; empty for a good twin."""


def measure_fidelity(
    scene: Scene,
    capture: Capture,
    segmentation: Segmentation | None = None,
    *,
    surface: Mesh | None = None,
    support: SupportConfig | None = None,
    limits: VerdictConfig | None = None,
) -> Fidelity:
    """Return the fidelity of a scene to the held-out frames of its capture, or to all frames where none is held out.

    The poses of the capture must be those that the scene was made with. Objects are distinguished by `segmentation`.
    `surface` is the `plain_surface` of the capture's frames; it is made here where it is not given.
    """
    config = SupportConfig() if support is None else support
    supported = supported_by_frame(capture, config)
    meshes = visual_meshes(scene)
    compared = compare_with_capture(meshes, capture, supported=supported, support=config)
    counts, squared_error, color_values = total_counts(compared)
    explained, missing, phantom = (share(int(counts[kind]), int(counts[1:].sum())) for kind in (1, 2, 3))
    remainder = [number for number, structure in enumerate(scene.structures) if structure.kind == "remainder"]
    by_remainder = sum(
        int(((item.comparison.classes == EXPLAINED) & np.isin(item.comparison.body, remainder)).sum())
        for item in compared
    )
    hanging = len(hanging_supports(scene))
    fixed = sum(placed.fixed for placed in scene.objects) - hanging
    remainder_share = share(by_remainder, int(counts[EXPLAINED]))
    surface = plain_surface(capture.frames) if surface is None else surface
    plain = measure_plain_fusion(capture, surface, supported, config) if len(capture.all_frames) > 1 else None
    verdict, advice = give_verdict(
        explained=explained,
        phantom=phantom,
        remainder=remainder_share,
        plain_explained=None if plain is None else plain.explained,
        fixed_objects=fixed,
        objects=len(scene.objects) - hanging,
        limits=VerdictConfig() if limits is None else limits,
    )
    return Fidelity(
        frames=len(compared),
        held_out=bool(capture.held_out),
        on_other_views=len(capture.all_frames) > 1,
        pixels=int(counts[1:].sum()),
        explained=explained,
        missing=missing,
        phantom=phantom,
        color_db=psnr_db(squared_error, color_values),
        remainder=remainder_share,
        plain=plain,
        surface_m2=float(surface.triangle_areas_m2().sum()),
        unexplained_m2=unexplained_area_m2(surface, meshes),
        objects=() if segmentation is None else _objects(compared, segmentation),
        movable_objects=len(scene.objects) - fixed - hanging,
        fixed_objects=fixed,
        hanging_objects=hanging,
        verdict=verdict,
        advice=advice,
    )


def _objects(compared: Sequence[ComparedFrame], segmentation: Segmentation) -> tuple[ObjectFidelity, ...]:
    """Return the fidelity of each segment that supported pixels show, over the pixels nearest to its points."""
    segments = [segment for segment in segmentation.segments if len(segment.points)]
    if not segments:
        return ()
    tree = cKDTree(np.concatenate([segment.points for segment in segments]))
    owner = np.append(np.repeat(np.arange(len(segments)), [len(segment.points) for segment in segments]), -1)
    counts = np.zeros((len(segments), 4), dtype=np.int64)
    for item in compared:
        rows, columns = np.nonzero(item.supported)
        points = unproject(item.frame.depth_m, item.frame.depth_camera)[rows, columns]
        _, nearest = tree.query(
            transform(item.frame.world_from_camera, points), distance_upper_bound=OBJECT_REACH_M, workers=-1
        )
        owners = owner[nearest]
        classes = item.comparison.classes[rows, columns]
        np.add.at(counts, (owners[owners >= 0], classes[owners >= 0]), 1)
    return tuple(
        ObjectFidelity(
            name=segment.name,
            pixels=int(row.sum()),
            explained=share(int(row[EXPLAINED]), int(row.sum())),
            missing=share(int(row[MISSING]), int(row.sum())),
            phantom=share(int(row[PHANTOM]), int(row.sum())),
        )
        for segment, row in zip(segments, counts, strict=True)
        if row.sum()
    )
