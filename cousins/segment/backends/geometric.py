"""Segmentation by geometry alone: planes, convexity and support. Needs no network weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.masks import competing_points, label_frame, masks_by_object
from cousins.segment.multi_view import find_instances
from cousins.segment.observability import select_observed
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.part_merging import PartMergingConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.segments import Segment, Segmentation
from cousins.segment.single_view import label_view
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.planes import FixedStructure, PlaneConfig
from cousins.segment.support import supports_of
from cousins.segment.surfaces.voxel_map import VoxelConfig


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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetectedObjects:
    """Segmented objects that have no names yet."""

    masks: list[dict[int, Array]]
    """Masks by frame of each object."""
    clouds: list[Array]
    """World points [m] of each object, float64 [n, 3]."""
    warnings: tuple[str, ...] = ()
    """What was left out, one sentence per reason."""


class Geometric:
    """Segmenter that uses planes, convexity and support; implements the `Segmenter` protocol."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state."""
        structure = find_planes(capture, config=self.config.planes, rng=rng)
        is_single_view = len(capture.frames) == 1
        objects = (
            self._segment_single_view(capture, structure)
            if is_single_view
            else self._segment_multi_view(capture, structure)
        )
        planes = tuple(fitted.plane for fitted in structure.planes)
        segments = make_segments(objects.masks, objects.clouds, structure)
        return Segmentation(planes=planes, segments=segments, warnings=structure.warnings + objects.warnings)

    def _segment_single_view(self, capture: Capture, structure: FixedStructure) -> DetectedObjects:
        frame = capture.frames[0]
        labelled = label_view(frame, structure, patch=self.config.patches, group=self.config.groups)
        masks = [{frame.index: labelled.labels == k} for k in range(int(labelled.labels.max(initial=-1)) + 1)]
        return DetectedObjects(masks=masks, clouds=[labelled.view.points[mask[frame.index]] for mask in masks])

    def _segment_multi_view(self, capture: Capture, structure: FixedStructure) -> DetectedObjects:
        config = self.config
        cloud = find_instances(
            capture,
            structure,
            voxel=config.voxels,
            patch=config.patches,
            merging=config.merging,
            group=config.groups,
        )
        count = int(cloud.labels.max(initial=-1)) + 1
        other_points = competing_points(cloud.rest, cloud.points)
        points = np.concatenate([cloud.points, other_points])
        labels = np.concatenate([cloud.labels, np.full(len(other_points), -1, dtype=np.int64)])
        masks: list[dict[int, Array]] = [{} for _ in range(count)]
        for frame in capture.frames:
            image = label_frame(frame, points, labels, voxel_m=cloud.voxel_m)
            for k, mask in masks_by_object(frame, image).items():
                masks[k][frame.index] = mask
        clouds = [cloud.points[cloud.labels == k] for k in range(count)]
        kept_indices, warnings = select_observed(capture, masks, clouds, voxel_m=cloud.voxel_m, up=structure.up)
        return DetectedObjects(
            masks=[masks[k] for k in kept_indices],
            clouds=[clouds[k] for k in kept_indices],
            warnings=cloud.dropped + warnings,
        )


def build(config: Config) -> Geometric:
    """Return the geometric segmenter."""
    return Geometric(config)


def make_segments(masks: list[dict[int, Array]], clouds: list[Array], structure: FixedStructure) -> tuple[Segment, ...]:
    """Return the objects as named segments, ordered by the height of their foot (5 cm steps), then by position.

    `masks` holds for each object its masks by frame index, bool [h, w]; `clouds` its world points [m], [n, 3].
    """
    up = structure.up
    keys = [
        (round(float(np.quantile(cloud @ up, 0.02)) / 0.05), *np.round(np.median(cloud, axis=0), 4)) for cloud in clouds
    ]
    order = sorted(range(len(clouds)), key=lambda k: keys[k])
    names = [f"object_{n}" for n in range(len(order))]
    supports = supports_of([clouds[k] for k in order], names, structure)
    labels = [name_by_geometry(clouds[k], up) for k in order]
    return tuple(
        Segment(
            name=name,
            label=label.text,
            label_score=round(label.score, 3),
            masks=masks[k],
            points=clouds[k],
            support=support,
        )
        for name, k, label, support in zip(names, order, labels, supports, strict=True)
    )
