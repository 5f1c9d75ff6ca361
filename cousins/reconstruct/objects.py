"""One segment of a capture to a placed asset, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Capture
from cousins.errors import StageError
from cousins.geometry import Array
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.build import build_asset
from cousins.reconstruct.labels import relabel_from_mesh
from cousins.reconstruct.shape import reconstruct_shape
from cousins.seeding import OBJECT_RNG, child_rng
from cousins.segment.segments import Segment, Segmentation


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReconstructedObject:
    """One object as an asset, or why there is none."""

    name: str
    """Name of the segment."""
    placed: tuple[Asset, Array] | None
    """The asset and its `world_from_asset`, float64 [4, 4]; None where it failed."""
    failure: str = ""
    """Why there is no asset."""


def reconstruct_object(
    capture: Capture, segmentation: Segmentation, segment: Segment, *, rng: np.random.Generator
) -> ReconstructedObject:
    """Return the asset of one segment; a `StageError` becomes its `failure`."""
    try:
        shape = reconstruct_shape(capture, segmentation, segment)
        placed = build_asset(segment.name, shape, relabel_from_mesh(segment, shape.mesh), capture, rng=rng)
    except StageError as error:
        return ReconstructedObject(name=segment.name, placed=None, failure=str(error))
    return ReconstructedObject(name=segment.name, placed=placed)


def reconstruct_objects(
    capture: Capture, segmentation: Segmentation, *, seed: int = 0
) -> tuple[ReconstructedObject, ...]:
    """Return an asset or a failure for each segment, in the order of the segmentation.

    Object `i` depends on its own data and the seed alone, not on the other objects.
    """
    return tuple(
        reconstruct_object(capture, segmentation, segment, rng=child_rng(seed, OBJECT_RNG, index))
        for index, segment in enumerate(segmentation.segments)
    )
