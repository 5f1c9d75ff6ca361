"""Segmentation by Segment Anything (SAM): prompts from geometry, masks on keyframes, propagation by depth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array
from cousins.segment.backends import geometric
from cousins.segment.backends.geometric import DetectedObjects, make_segments
from cousins.segment.frame_masks import FrameMasks, pack_masks
from cousins.segment.masks import label_frame, masks_by_object
from cousins.segment.multi_view import find_instances
from cousins.segment.observability import select_observed
from cousins.segment.prompted.consensus import cluster_masks
from cousins.segment.prompted.keyframes import select_keyframes
from cousins.segment.prompted.mask_propagation import propagate_masks
from cousins.segment.prompted.mask_selection import MaskSelectionConfig, heights_above_structure, select_masks
from cousins.segment.prompted.prompts import MaskModel
from cousins.segment.segments import Segmentation
from cousins.segment.single_view import label_view
from cousins.segment.structure.detection import find_planes
from cousins.segment.structure.planes import FixedStructure
from cousins.segment.surfaces.surface import world_points

NO_COLOR_WARNING = "no frame has a colour image, so that SAM sees nothing: objects are separated by geometry alone"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which model is used, and how."""

    weights: Path | None = None
    """Checkpoint of segment-anything (.pth), or a folder of a SAM 2 in transformers' layout; None takes the one that
    `cousins models get sam-vit-b` fetched."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto takes CUDA where there is some."""
    max_keyframes: int = 12
    """Largest number of frames that the model encodes."""
    mask_selection: MaskSelectionConfig = field(default_factory=MaskSelectionConfig)
    """How prompts are made and masks selected."""
    geometry: geometric.Config = field(default_factory=geometric.Config)
    """Settings of the geometric segmenter that proposes objects."""


class Sam:
    """Segmenter around any promptable mask model; implements the `Segmenter` protocol."""

    def __init__(self, config: Config, model: MaskModel) -> None:
        self.config, self.model = config, model

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state, on the same device."""
        keyframes = select_keyframes(capture, max_count=self.config.max_keyframes)
        if not keyframes:
            segmentation = geometric.build(self.config.geometry).segment(capture, rng=rng)
            return replace(segmentation, warnings=(*segmentation.warnings, NO_COLOR_WARNING))
        structure = find_planes(capture, config=self.config.geometry.planes, rng=rng)
        is_single_view = len(capture.frames) == 1
        objects = (
            self._segment_single_view(keyframes[0], structure)
            if is_single_view
            else self._segment_multi_view(capture, keyframes, structure)
        )
        segments = make_segments(objects.masks, objects.clouds, structure)
        planes = tuple(fitted.plane for fitted in structure.planes)
        return Segmentation(planes=planes, segments=segments, warnings=structure.warnings + objects.warnings)

    def _segment_single_view(self, frame: Frame, structure: FixedStructure) -> DetectedObjects:
        config = self.config.geometry
        labelled = label_view(frame, structure, patch=config.patches, group=config.groups)
        image, missing_count = self._select_frame_masks(frame, labelled.labels, structure)
        masks = [pack_masks({frame.index: image == k}) for k in range(int(image.max(initial=-1)) + 1)]
        clouds = [labelled.view.points[mask[frame.index]] for mask in masks]
        return DetectedObjects(masks=masks, clouds=clouds, warnings=_missing_mask_warnings(missing_count))

    def _segment_multi_view(
        self, capture: Capture, keyframes: tuple[Frame, ...], structure: FixedStructure
    ) -> DetectedObjects:
        config = self.config.geometry
        cloud = find_instances(
            capture,
            structure,
            (),
            voxel=config.voxels,
            patch=config.patches,
            merging=config.merging,
            group=config.groups,
        )
        points = np.concatenate([cloud.points, cloud.rest])
        proposed_labels = np.concatenate([cloud.labels, np.full(len(cloud.rest), -1, dtype=np.int64)])
        images, missing_count = [], 0
        for frame in keyframes:
            labels = label_frame(frame, points, proposed_labels, voxel_m=cloud.voxel_m)
            image, frame_missing_count = self._select_frame_masks(frame, labels, structure)
            images.append(image)
            missing_count += frame_missing_count
        consensus = cluster_masks(points, keyframes, images, voxel_m=cloud.voxel_m)
        images = [
            np.append(mask_objects, -1)[image]
            for image, mask_objects in zip(images, consensus.mask_objects, strict=True)
        ]
        count = int(consensus.labels.max(initial=-1)) + 1
        masks = _masks_in_all_frames(capture, keyframes, images, count, voxel_m=cloud.voxel_m)
        clouds = [points[consensus.labels == k] for k in range(count)]
        kept_indices, warnings = select_observed(capture, masks, clouds, voxel_m=cloud.voxel_m, up=structure.up)
        return DetectedObjects(
            masks=[masks[k] for k in kept_indices],
            clouds=[clouds[k] for k in kept_indices],
            warnings=(*warnings, *_missing_mask_warnings(missing_count)),
        )

    def _select_frame_masks(self, frame: Frame, labels: Array, structure: FixedStructure) -> tuple[Array, int]:
        has_depth = frame.depth_m > 0.0
        if not has_depth.any():
            return np.full(labels.shape, -1, dtype=np.int64), 0
        height_m = heights_above_structure(world_points(frame), structure)
        return select_masks(self.model.encode(frame), labels, height_m, has_depth, config=self.config.mask_selection)


def build(config: Config) -> Sam:
    """Return the segmenter with the configured model; raises `InputError` where its weights are missing."""
    from cousins.segment.prompted.torch_sam import load_model

    return Sam(config, load_model(config.weights, device=config.device))


def _masks_in_all_frames(
    capture: Capture, keyframes: tuple[Frame, ...], images: list[Array], count: int, *, voxel_m: float
) -> list[FrameMasks]:
    """Return for each object its masks by frame index: predicted in keyframes, propagated from them elsewhere."""
    image_by_index = {frame.index: image for frame, image in zip(keyframes, images, strict=True)}
    masks = [FrameMasks() for _ in range(count)]
    for frame in capture.frames:
        image = image_by_index.get(frame.index)
        if image is None:
            image = propagate_masks(frame, keyframes, images, voxel_m=voxel_m)
        for k, mask in masks_by_object(frame, image).items():
            masks[k].packed[frame.index] = mask
    return masks


def _missing_mask_warnings(count: int) -> tuple[str, ...]:
    return (f"SAM gave no mask for {count} proposals; geometry's own were taken there",) if count else ()
