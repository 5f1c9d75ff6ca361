"""Measure how much of what the frames of a capture saw a twin explains, and give a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture, Frame
from cousins.fidelity.comparison import EXPLAINED, MISSING, PHANTOM, FrameComparison, compare_with_frame, psnr_db
from cousins.fidelity.support import SupportConfig, supported_pixels, trusted_pixels
from cousins.geometry import Array, transform, unproject
from cousins.meshes import Mesh
from cousins.raster import ShadingData, prepare_shading
from cousins.scene.scenes import Scene, visual_meshes
from cousins.segment.segments import Segmentation

Verdict: TypeAlias = Literal["good", "usable", "poor"]
"""`good`; `usable` with something to look at; `poor`: scan again."""
OBJECT_REACH_M: Final = 0.015
"""A measured point this near to a segment's points belongs to the segment [m]."""


@dataclass(frozen=True, kw_only=True)
class VerdictConfig:
    """Limits of the verdict, each a share of supported pixels unless said otherwise."""

    good_explained: float = 0.9
    """Least share explained of a good twin."""
    good_phantom: float = 0.015
    """Largest share phantom of a good twin."""
    good_remainder: float = 0.35
    """Largest share of the explained pixels that the remainder explains in a good twin."""
    good_fixed: float = 0.05
    """Largest share of the objects that were fixed in place in a good twin."""
    poor_explained: float = 0.75
    """A twin that explains less is poor."""
    poor_phantom: float = 0.05
    """A twin with more phantom surface is poor."""


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
    objects: tuple[ObjectFidelity, ...]
    """One by object that has supported pixels."""
    movable_objects: int
    """Number of objects that can move."""
    fixed_objects: int
    """Number of objects that were fixed in place because they do not stand."""
    verdict: Verdict
    """Verdict by the limits of `VerdictConfig`."""
    advice: str
    """What to look at, or how to scan again; empty for a good twin."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ComparedFrame:
    """A frame with its supported pixels and their classes."""

    frame: Frame
    """The frame."""
    supported: Array
    """Supported pixels, bool [h, w]."""
    comparison: FrameComparison
    """Classes of its pixels."""


def measure_fidelity(
    scene: Scene,
    capture: Capture,
    segmentation: Segmentation | None = None,
    *,
    support: SupportConfig | None = None,
    limits: VerdictConfig | None = None,
) -> Fidelity:
    """Return the fidelity of a scene to the held-out frames of its capture, or to all frames where none is held out.

    The poses of the capture must be those that the scene was made with. Objects are distinguished by `segmentation`.
    """
    compared = compare_with_capture(visual_meshes(scene), capture, support=support)
    counts, squared_error, color_values = total_counts(compared)
    explained, missing, phantom = (_share(int(counts[kind]), int(counts[1:].sum())) for kind in (1, 2, 3))
    remainder = [number for number, structure in enumerate(scene.structures) if structure.kind == "remainder"]
    by_remainder = sum(
        int(((item.comparison.classes == EXPLAINED) & np.isin(item.comparison.body, remainder)).sum())
        for item in compared
    )
    fixed = sum(placed.fixed for placed in scene.objects)
    remainder_share = _share(by_remainder, int(counts[EXPLAINED]))
    verdict, advice = _verdict(
        explained,
        phantom,
        remainder_share,
        (fixed, len(scene.objects)),
        VerdictConfig() if limits is None else limits,
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
        objects=() if segmentation is None else _objects(compared, segmentation),
        movable_objects=len(scene.objects) - fixed,
        fixed_objects=fixed,
        verdict=verdict,
        advice=advice,
    )


def compare_with_capture(
    meshes: Sequence[Mesh], capture: Capture, *, support: SupportConfig | None = None
) -> list[ComparedFrame]:
    """Return the comparison of meshes in the world frame with each held-out frame, or with each frame without any."""
    config = SupportConfig() if support is None else support
    looks = [prepare_shading(mesh) for mesh in meshes]
    return [compare_frame(meshes, looks, capture, frame, config) for frame in capture.held_out or capture.frames]


def compare_frame(
    meshes: Sequence[Mesh],
    looks: Sequence[ShadingData] | None,
    capture: Capture,
    frame: Frame,
    config: SupportConfig,
) -> ComparedFrame:
    """Return the comparison of meshes in the world frame with one frame of a capture; without `looks` not of colour."""
    if len(capture.all_frames) == 1:
        supported = trusted_pixels(frame, config)
    else:
        supported = supported_pixels(frame, capture.all_frames, config)
    comparison = compare_with_frame(meshes, looks, frame, supported, config)
    return ComparedFrame(frame=frame, supported=supported, comparison=comparison)


def total_counts(compared: Sequence[ComparedFrame]) -> tuple[Array, float, int]:
    """Return over all frames the pixels by class [4], the squared colour error and the number of values in it."""
    counts = np.zeros(4, dtype=np.int64)
    for item in compared:
        counts += np.bincount(item.comparison.classes.ravel(), minlength=4)
    error = sum(item.comparison.squared_error for item in compared)
    return counts, error, sum(item.comparison.color_values for item in compared)


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
            explained=_share(int(row[EXPLAINED]), int(row.sum())),
            missing=_share(int(row[MISSING]), int(row.sum())),
            phantom=_share(int(row[PHANTOM]), int(row.sum())),
        )
        for segment, row in zip(segments, counts, strict=True)
        if row.sum()
    )


def _share(part: int, total: int) -> float:
    return part / total if total else 0.0


def _verdict(
    explained: float, phantom: float, remainder: float, fixed: tuple[int, int], limits: VerdictConfig
) -> tuple[Verdict, str]:
    """Return the verdict and what to look at; `fixed` is the number of objects fixed in place, and of all objects."""
    if explained < limits.poor_explained:
        return "poor", (
            "Much of what was seen is not in the twin. Scan again from 0.5 to 2 m, slowly, all around, and keep what "
            "the things stand on in view."
        )
    if phantom > limits.poor_phantom:
        return "poor", (
            "Surface stands where the phone saw free space. Scan again in good light, return to where you began, and "
            "leave mirrors and glass out."
        )
    fixed_count, count = fixed
    remarks = []
    if explained < limits.good_explained:
        remarks.append(f"{1.0 - explained - phantom:.0%} of what was seen is missing")
    if phantom > limits.good_phantom:
        remarks.append(f"{phantom:.1%} stands where the phone saw free space")
    if remainder > limits.good_remainder:
        remarks.append(f"{remainder:.0%} is surface that was not understood and cannot move")
    if count and fixed_count > limits.good_fixed * count:
        remarks.append(f"{fixed_count} of {count} objects do not stand and were fixed in place")
    if count == fixed_count:
        remarks.append("nothing in it can move")
    return ("usable", f"Look at this: {'; '.join(remarks)}.") if remarks else ("good", "")
