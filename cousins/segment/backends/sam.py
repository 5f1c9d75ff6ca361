"""Objects by Segment Anything: geometry asks, the model answers on keyframes, depth carries the masks to all frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.backends import geometric
from cousins.segment.backends.geometric import Found, order_segments
from cousins.segment.masks import label_frame, masks_of
from cousins.segment.multi_view import find_instances
from cousins.segment.observability import weigh
from cousins.segment.prompted.consensus import agree
from cousins.segment.prompted.keyframes import keyframes
from cousins.segment.prompted.mask_propagation import carried
from cousins.segment.prompted.mask_selection import AskConfig, answered, raised
from cousins.segment.prompted.prompts import MaskModel
from cousins.segment.segments import Segmentation
from cousins.segment.single_view import label_view
from cousins.segment.structure.planes import Structure, find_planes
from cousins.segment.surfaces.surface import world_points

NO_COLOR = "no frame has a colour image, so that SAM sees nothing: objects are told apart by geometry alone"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which model is asked, and how."""

    weights: Path | None = None
    """Checkpoint of segment-anything (.pth), or a folder of a SAM 2 in transformers' layout; None takes the one that
    `cousins models get sam-vit-b` fetched."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto takes CUDA where there is some."""
    keyframes: int = 12
    """Most frames that the model looks at."""
    ask: AskConfig = field(default_factory=AskConfig)
    """Questions and answers."""
    geometry: geometric.Config = field(default_factory=geometric.Config)
    """Who proposes."""


class Sam:
    """Answers the `Segmenter` protocol with any mask model."""

    def __init__(self, config: Config, model: MaskModel) -> None:
        self.config, self.model = config, model

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state, on the same device."""
        chosen = keyframes(capture, most=self.config.keyframes)
        if not chosen:
            found = geometric.build(self.config.geometry).segment(capture, rng=rng)
            return replace(found, warnings=(*found.warnings, NO_COLOR))
        structure = find_planes(capture, config=self.config.geometry.planes, rng=rng)
        one = len(capture.frames) == 1
        result = self._single(chosen[0], structure) if one else self._multi(capture, chosen, structure)
        segments = order_segments(result.masks, result.clouds, structure)
        planes = tuple(fitted.plane for fitted in structure.planes)
        return Segmentation(planes=planes, segments=segments, warnings=structure.warnings + result.warnings)

    def _single(self, frame: Frame, structure: Structure) -> Found:
        config = self.config.geometry
        labelled = label_view(frame, structure, patch=config.patches, group=config.groups)
        image, own = self._asked(frame, labelled.labels, structure)
        masks = [{frame.index: image == k} for k in range(int(image.max(initial=-1)) + 1)]
        clouds = [labelled.view.points[mask[frame.index]] for mask in masks]
        return Found(masks=masks, clouds=clouds, warnings=_told(own))

    def _multi(self, capture: Capture, chosen: tuple[Frame, ...], structure: Structure) -> Found:
        config = self.config.geometry
        found = find_instances(capture, structure, voxel=config.voxels, patch=config.patches, group=config.groups)
        points = np.concatenate([found.points, found.rest])
        proposed = np.concatenate([found.labels, np.full(len(found.rest), -1, dtype=np.int64)])
        images, own = [], 0
        for frame in chosen:
            labels = label_frame(frame, points, proposed, voxel_m=found.voxel_m)
            image, lacking = self._asked(frame, labels, structure)
            images.append(image)
            own += lacking
        agreed = agree(points, chosen, images, voxel_m=found.voxel_m)
        images = [np.append(of, -1)[image] for image, of in zip(images, agreed.of_mask, strict=True)]
        count = int(agreed.labels.max(initial=-1)) + 1
        masks = _everywhere(capture, chosen, images, count, voxel_m=found.voxel_m)
        clouds = [points[agreed.labels == k] for k in range(count)]
        kept, notes = weigh(capture, masks, clouds, voxel_m=found.voxel_m, up=structure.up)
        return Found(masks=[masks[k] for k in kept], clouds=[clouds[k] for k in kept], warnings=(*notes, *_told(own)))

    def _asked(self, frame: Frame, labels: Array, structure: Structure) -> tuple[Array, int]:
        known = frame.depth_m > 0.0
        if not known.any():
            return np.full(labels.shape, -1, dtype=np.int64), 0
        raised_m = raised(world_points(frame), structure)
        return answered(self.model.look(frame), labels, raised_m, known, config=self.config.ask)


def build(config: Config) -> Sam:
    """Return the segmenter with the model of the config; raises `InputError` where it is not there."""
    from cousins.segment.prompted.torch_sam import load_model

    return Sam(config, load_model(config.weights, device=config.device))


def _everywhere(
    capture: Capture, chosen: tuple[Frame, ...], images: list[Array], count: int, *, voxel_m: float
) -> list[dict[int, Array]]:
    """Return masks by frame of each object: a keyframe's own, elsewhere those of the keyframes near it."""
    own = {frame.index: image for frame, image in zip(chosen, images, strict=True)}
    masks: list[dict[int, Array]] = [{} for _ in range(count)]
    for frame in capture.frames:
        image = own.get(frame.index)
        if image is None:
            image = carried(frame, chosen, images, voxel_m=voxel_m)
        for k, mask in masks_of(frame, image).items():
            masks[k][frame.index] = mask
    return masks


def _told(own: int) -> tuple[str, ...]:
    return (f"SAM gave no mask for {own} proposals; geometry's own were taken there",) if own else ()
