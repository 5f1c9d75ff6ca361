"""Objects by geometry alone: planes, convexity, support. Needs no weights and no network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.geometric_names import name_by_geometry
from cousins.segment.masks import label_frame, masks_of, rivals
from cousins.segment.multi_view import find_instances
from cousins.segment.observability import weigh
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.segments import Segment, Segmentation
from cousins.segment.single_view import label_view
from cousins.segment.structure.planes import PlaneConfig, Structure, find_planes
from cousins.segment.support import supports_of
from cousins.segment.surfaces.voxel_map import VoxelConfig


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the geometric segmenter takes for structure and for an object."""

    planes: PlaneConfig = field(default_factory=PlaneConfig)
    """Fixed structure."""
    patches: PatchConfig = field(default_factory=PatchConfig)
    """How surfaces are cut."""
    voxels: VoxelConfig = field(default_factory=VoxelConfig)
    """How many views become one surface."""
    groups: GroupConfig = field(default_factory=GroupConfig)
    """What may stand alone."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """Objects before they have names."""

    masks: list[dict[int, Array]]
    """Masks by frame of each object."""
    clouds: list[Array]
    """World points [m] of each object, float64 [n, 3]."""
    warnings: tuple[str, ...] = ()
    """What was left out."""


class Geometric:
    """Answers the `Segmenter` protocol."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state."""
        structure = find_planes(capture, config=self.config.planes, rng=rng)
        one = len(capture.frames) == 1
        found = self._single(capture, structure) if one else self._multi(capture, structure)
        planes = tuple(fitted.plane for fitted in structure.planes)
        segments = order_segments(found.masks, found.clouds, structure)
        return Segmentation(planes=planes, segments=segments, warnings=structure.warnings + found.warnings)

    def _single(self, capture: Capture, structure: Structure) -> Found:
        frame = capture.frames[0]
        labelled = label_view(frame, structure, patch=self.config.patches, group=self.config.groups)
        masks = [{frame.index: labelled.labels == k} for k in range(int(labelled.labels.max(initial=-1)) + 1)]
        return Found(masks=masks, clouds=[labelled.view.points[mask[frame.index]] for mask in masks])

    def _multi(self, capture: Capture, structure: Structure) -> Found:
        config = self.config
        found = find_instances(capture, structure, voxel=config.voxels, patch=config.patches, group=config.groups)
        count = int(found.labels.max(initial=-1)) + 1
        rest = rivals(found.rest, found.points)
        points = np.concatenate([found.points, rest])
        labels = np.concatenate([found.labels, np.full(len(rest), -1, dtype=np.int64)])
        masks: list[dict[int, Array]] = [{} for _ in range(count)]
        for frame in capture.frames:
            image = label_frame(frame, points, labels, voxel_m=found.voxel_m)
            for k, mask in masks_of(frame, image).items():
                masks[k][frame.index] = mask
        clouds = [found.points[found.labels == k] for k in range(count)]
        kept, notes = weigh(capture, masks, clouds, voxel_m=found.voxel_m, up=structure.up)
        return Found(masks=[masks[k] for k in kept], clouds=[clouds[k] for k in kept], warnings=found.dropped + notes)


def build(config: Config) -> Geometric:
    """Return the geometric segmenter."""
    return Geometric(config)


def order_segments(masks: list[dict[int, Array]], clouds: list[Array], structure: Structure) -> tuple[Segment, ...]:
    """Name objects in a stable order: by the height of their foot (5 cm steps), then by position."""
    up = structure.up
    keys = [
        (round(float(np.quantile(cloud @ up, 0.02)) / 0.05), *np.round(np.median(cloud, axis=0), 4)) for cloud in clouds
    ]
    order = sorted(range(len(clouds)), key=lambda k: keys[k])
    names = [f"object_{n}" for n in range(len(order))]
    carriers = supports_of([clouds[k] for k in order], names, structure)
    labels = [name_by_geometry(clouds[k], up) for k in order]
    return tuple(
        Segment(
            name=name,
            label=label.text,
            label_score=round(label.score, 3),
            masks=masks[k],
            points=clouds[k],
            support=carrier,
        )
        for name, k, label, carrier in zip(names, order, labels, carriers, strict=True)
    )
