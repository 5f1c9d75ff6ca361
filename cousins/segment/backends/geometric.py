"""Segmentation by geometry alone: planes, convexity and support. Needs no network weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.frame_masks import FrameMasks, PackedMask, pack_masks
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.leftovers import report_leftovers
from cousins.segment.masks import competing_points, label_frame, masks_by_object
from cousins.segment.multi_view import LabelledCloud, find_instances
from cousins.segment.observability import select_observed
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.part_merging import PartMergingConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.relief.joining import join_raised_patches
from cousins.segment.relief.raised_patches import RaisedPatchConfig, find_raised_patches
from cousins.segment.relief.reports import report_raised_patches
from cousins.segment.segments import Segment, Segmentation
from cousins.segment.single_view import label_view
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.planes import FittedPlane, FixedStructure, PlaneConfig, heights_above_plane
from cousins.segment.support import supports_of
from cousins.segment.surfaces.voxel_map import VoxelConfig
from cousins.segment.view_agreement import compare_views
from cousins.segment.view_votes import segment_views

SINGLE_VIEW_TABLE_M2 = 0.2
"""Smallest visible area of a table in a single view [m²]: 45 cm square, more than the tops of most boxes."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the geometric segmenter."""

    planes: PlaneConfig = field(default_factory=PlaneConfig)
    """Detection of fixed planes."""
    patches: PatchConfig = field(default_factory=PatchConfig)
    """How surfaces are cut into patches."""
    voxels: VoxelConfig = field(default_factory=VoxelConfig)
    """How several views are averaged into one surface."""
    merging: PartMergingConfig = field(default_factory=PartMergingConfig)
    """When a piece is a part of its neighbour, over several views."""
    groups: GroupConfig = field(default_factory=GroupConfig)
    """Which pieces may be objects on their own."""
    raised: RaisedPatchConfig = field(default_factory=RaisedPatchConfig)
    """When something lower than the noise of a depth pixel is an object, over several views."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetectedObjects:
    """Segmented objects that have no names yet."""

    masks: Sequence[FrameMasks]
    """Masks by frame of each object."""
    clouds: list[Array]
    """World points [m] of each object, float64 [n, 3]."""
    relief_cells_m: list[float] | None = None
    """For objects that are measured as height maps the distance between their points [m], 0 for others; None: 0."""
    warnings: tuple[str, ...] = ()
    """What was left out, one sentence per reason."""


def plane_config(planes: PlaneConfig, capture: Capture) -> PlaneConfig:
    """Return the detection of planes for a capture: a single view shows its table in part."""
    if len(capture.frames) > 1:
        return planes
    return replace(planes, min_table_m2=min(planes.min_table_m2, SINGLE_VIEW_TABLE_M2))


class Geometric:
    """Segmenter that uses planes, convexity and support; implements the `Segmenter` protocol."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state."""
        is_single_view = len(capture.frames) == 1
        structure = find_planes(capture, config=plane_config(self.config.planes, capture), rng=rng)
        objects = (
            self._segment_single_view(capture, structure)
            if is_single_view
            else self._segment_multi_view(capture, structure)
        )
        planes = tuple(fitted.plane for fitted in structure.planes)
        segments = make_segments(objects.masks, objects.clouds, structure, relief_cells_m=objects.relief_cells_m)
        return Segmentation(planes=planes, segments=segments, warnings=structure.warnings + objects.warnings)

    def _segment_single_view(self, capture: Capture, structure: FixedStructure) -> DetectedObjects:
        frame = capture.frames[0]
        labelled = label_view(frame, structure, patch=self.config.patches, group=self.config.groups)
        masks = [{frame.index: labelled.labels == k} for k in range(int(labelled.labels.max(initial=-1)) + 1)]
        return DetectedObjects(
            masks=[pack_masks(mask) for mask in masks],
            clouds=[labelled.view.points[mask[frame.index]] for mask in masks],
            warnings=labelled.sentences(),
        )

    def _segment_multi_view(self, capture: Capture, structure: FixedStructure) -> DetectedObjects:
        config = self.config
        views = segment_views(capture.frames, structure, patch=config.patches, group=config.groups)
        cloud = find_instances(
            capture,
            structure,
            views,
            voxel=config.voxels,
            patch=config.patches,
            merging=config.merging,
            group=config.groups,
        )
        patches = find_raised_patches(capture.frames, structure.planes, config=config.raised)
        cloud, patches = join_raised_patches(cloud, patches, structure)
        low = [patch for patch in patches if patch.kind == "object"]
        count = int(cloud.labels.max(initial=-1)) + 1
        clouds = [cloud.points[cloud.labels == k] for k in range(count)] + [patch.points for patch in low]
        masks = _project_masks(capture, clouds, cloud)
        kept_indices, warnings = select_observed(
            capture, masks[:count], clouds[:count], voxel_m=cloud.voxel_m, up=structure.up
        )
        kept_masks = [masks[k] for k in kept_indices]
        agreement = compare_views(views, kept_masks)
        kept_indices += range(count, len(clouds))
        explained = clouds + [patch.points for patch in patches]
        leftovers = report_leftovers(cloud.leftover, explained, voxel_m=cloud.voxel_m)
        cells_m = [0.0] * count + [patch.cell_m for patch in low]
        return DetectedObjects(
            masks=[masks[k] for k in kept_indices],
            clouds=[clouds[k] for k in kept_indices],
            relief_cells_m=[cells_m[k] for k in kept_indices],
            warnings=(
                *warnings,
                *report_raised_patches(patches),
                *leftovers,
                *agreement.sentences(len(kept_masks)),
            ),
        )


def _project_masks(capture: Capture, clouds: list[Array], cloud: LabelledCloud) -> list[FrameMasks]:
    """Return the masks by frame of each of the point clouds [n, 3]; the rest of the map competes for their pixels."""
    masks = [FrameMasks() for _ in clouds]
    if not clouds:
        return masks
    points = np.concatenate(clouds)
    labels = np.repeat(np.arange(len(clouds)), [len(part) for part in clouds])
    other_points = competing_points(cloud.rest, points)
    labels = np.concatenate([labels, np.full(len(other_points), -1, dtype=np.int64)])
    points = np.concatenate([points, other_points])

    def label(frame: Frame) -> dict[int, PackedMask]:
        return masks_by_object(frame, label_frame(frame, points, labels, voxel_m=cloud.voxel_m))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for frame, by_object in zip(capture.frames, pool.map(label, capture.frames), strict=True):
            for k, mask in by_object.items():
                masks[k].packed[frame.index] = mask
    return masks


def build(config: Config) -> Geometric:
    """Return the geometric segmenter."""
    return Geometric(config)


def make_segments(
    masks: Sequence[FrameMasks],
    clouds: Sequence[Array],
    structure: FixedStructure,
    *,
    relief_cells_m: Sequence[float] | None = None,
) -> tuple[Segment, ...]:
    """Return the objects as named segments, ordered by the height of their foot (5 cm steps), then by position.

    `masks` holds for each object its masks by frame index, bool [h, w]; `clouds` its world points [m], [n, 3];
    `relief_cells_m` the distance between the points of those that are height maps, 0 for others.
    """
    cells_m = [0.0] * len(clouds) if relief_cells_m is None else relief_cells_m
    up = structure.up
    keys = [
        (round(float(np.quantile(cloud @ up, 0.02)) / 0.05), *np.round(np.median(cloud, axis=0), 4)) for cloud in clouds
    ]
    order = sorted(range(len(clouds)), key=lambda k: keys[k])
    names = [f"object_{n}" for n in range(len(order))]
    supports = supports_of([clouds[k] for k in order], names, structure)
    planes = {fitted.plane.name: fitted for fitted in structure.planes}
    labels = [
        name_by_geometry(_with_foot(clouds[k], planes[support]) if cells_m[k] and support in planes else clouds[k], up)
        for k, support in zip(order, supports, strict=True)
    ]
    return tuple(
        Segment(
            name=name,
            label=label.text,
            label_score=round(label.score, 3),
            masks=masks[k],
            points=clouds[k],
            support=support,
            relief_cell_m=cells_m[k],
        )
        for name, k, label, support in zip(names, order, labels, supports, strict=True)
    )


def _with_foot(tops: Array, fitted: FittedPlane) -> Array:
    """Return the tops of a low object [n, 3] with the points of the support below them."""
    return np.concatenate([tops, tops - np.outer(heights_above_plane(fitted, tops), fitted.plane.normal)])
