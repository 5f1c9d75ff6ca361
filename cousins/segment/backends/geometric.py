"""Objects by geometry alone: planes, convexity, support. Needs no weights and no network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.grouping import GroupConfig
from cousins.segment.naming import name_by_geometry
from cousins.segment.patches import PatchConfig
from cousins.segment.planes import PlaneConfig, Structure, find_planes
from cousins.segment.segments import Segment, Segmentation
from cousins.segment.single import label_view


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the geometric segmenter takes for structure and for an object."""

    planes: PlaneConfig = field(default_factory=PlaneConfig)
    """Fixed structure."""
    patches: PatchConfig = field(default_factory=PatchConfig)
    """How surfaces are cut."""
    groups: GroupConfig = field(default_factory=GroupConfig)
    """What may stand alone."""


class Geometric:
    """Answers the `Segmenter` protocol."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state."""
        structure = find_planes(capture, config=self.config.planes, rng=rng)
        frame = capture.frames[0]
        found = label_view(frame, structure, patch=self.config.patches, group=self.config.groups)
        masks = [{frame.index: found.labels == k} for k in range(int(found.labels.max()) + 1)]
        clouds = [found.view.points[mask[frame.index]] for mask in masks]
        segments = order_segments(masks, clouds, structure)
        return Segmentation(
            planes=tuple(fitted.plane for fitted in structure.planes), segments=segments, warnings=structure.warnings
        )


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
    segments = []
    for n, k in enumerate(order):
        label = name_by_geometry(clouds[k], up)
        segments.append(
            Segment(name=f"object_{n}", label=label.text, label_score=label.score, masks=masks[k], points=clouds[k])
        )
    return tuple(segments)
