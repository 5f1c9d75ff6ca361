"""Low things on supports: which are objects, and which stay part of the support and are reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import ndimage

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.relief.color_map import build_color_map
from cousins.segment.relief.patch_outlines import RING_M, PatchOutline, measure_outline
from cousins.segment.relief.relief_map import ReliefMap, ReliefMapConfig, build_relief_maps
from cousins.segment.structure.planes import FittedPlane

Kind = Literal["object", "cable", "flat", "swell", "small", "fringe", "cut off"]


@dataclass(frozen=True, kw_only=True)
class RaisedPatchConfig:
    """When something low on a support is an object."""

    heights: ReliefMapConfig = field(default_factory=ReliefMapConfig)
    """Resolution and reach of the height maps."""
    seed_sigmas: float = 6.0
    """Least height of a thing's core in standard deviations: of a million cells of noise none is as high."""
    edge_sigmas: float = 3.0
    """Least height of its cells in standard deviations."""
    min_seed_m: float = 0.001
    """Least blurred height of its core [m]: a cable of 4 mm, blurred over two pixels of a phone."""
    min_seed_m2: float = 3e-5
    """Smallest area of its core [m²]: 4 mm by 8 mm."""
    min_height_m: float = 0.003
    """Least height of an object [m]: 4 mm less what a phone's pose drift takes off."""
    min_length_m: float = 0.04
    """Least length of an object [m]: a dozen depth pixels of a phone."""
    min_strength: float = 5.0
    """Least typical height of an object's core in standard deviations, where its colour does not speak for it too."""
    min_foreign_share: float = 0.5
    """Least share of an object whose colour the support around lacks."""
    crisp_softness: float = 1.4
    """Largest breadth of flanks, over an upright edge's, of any object of the support's own colour."""
    max_softness: float = 2.0
    """The same for a steep one: noise widens flanks."""
    min_steepness: float = 0.2
    """Least height relative to breadth of a steep thing: folds of cloth have half of it, a pen has 0.8."""
    max_cable_breadth_m: float = 0.012
    """Largest breadth of a cable [m]."""
    min_cable_length_m: float = 0.25
    """Least length of a cable [m]: longer than pens and chopsticks are."""
    min_cable_slenderness: float = 25.0
    """Least length of a cable relative to its breadth; a ruler of 30 cm has 10."""
    max_area_m2: float = 0.06
    """Largest area of a low thing [m²]: an A4 sheet; larger ones are layers of the support."""
    fringe_m: float = 0.03
    """What reaches no further than this from something tall is a fringe of it [m]: flying pixels and pose drift."""
    max_cut_share: float = 0.15
    """Largest share of an outline that may lie on the edge of what was measured."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RaisedPatch:
    """Something low on a support."""

    kind: Kind
    """`object` is one; all others stay part of the support."""
    support: str
    """Name of the plane that it lies on."""
    outline: PatchOutline
    """Outline and height."""
    points: Array
    """Tops of its cells in the world [m], over the plane itself, float64 [n, 3]."""
    cell_m: float
    """Distance between neighbouring points [m]."""


def find_raised_patches(
    frames: Sequence[Frame], supports: Sequence[FittedPlane], *, config: RaisedPatchConfig | None = None
) -> tuple[RaisedPatch, ...]:
    """Return all low things on floors and tables, support by support, in the order of their cells."""
    config = RaisedPatchConfig() if config is None else config
    supports = [fitted for fitted in supports if fitted.plane.kind != "wall"]
    patches: list[RaisedPatch] = []
    for heights in build_relief_maps(frames, supports, config=config.heights):
        patches += raised_patches_on(heights, frames, config=config)
    return tuple(patches)


def raised_patches_on(heights: ReliefMap, frames: Sequence[Frame], *, config: RaisedPatchConfig) -> list[RaisedPatch]:
    """Return the low things of one height map."""
    labels = candidate_labels(heights, config)
    count = int(labels.max())
    if count == 0:
        return []
    near = ndimage.distance_transform_edt(labels == 0) * heights.cell_m < RING_M[1]
    lab = build_color_map(frames, heights, near)
    fringe = ndimage.distance_transform_edt(~heights.is_tall) * heights.cell_m
    patches = []
    for k in range(1, count + 1):
        region = labels == k
        outline = measure_outline(heights, lab, region, (labels > 0) & ~region)
        if outline is None:
            continue
        points = heights.world_points(outline.rows, outline.columns, outline.top_m)
        kind = _kind(outline, heights, fringe, config)
        name = heights.fitted.plane.name
        patches.append(RaisedPatch(kind=kind, support=name, outline=outline, points=points, cell_m=heights.cell_m))
    return patches


def candidate_labels(heights: ReliefMap, config: RaisedPatchConfig) -> Array:
    """Return the number of the raised patch of each cell, from 1, and 0 where nothing stands out; [rows, columns]."""
    strength = heights.relief_m / heights.sigma_m
    is_seed = (strength > config.seed_sigmas) & (heights.relief_m > config.min_seed_m)
    is_raised = (strength > config.edge_sigmas) & (heights.relief_m > 0.5 * config.min_seed_m)
    patches, count = ndimage.label(ndimage.binary_dilation(is_raised), np.ones((3, 3)))
    patches = np.where(is_raised, patches, 0)
    seeds = ndimage.sum_labels(is_seed, patches, np.arange(count + 1))
    is_kept = seeds * heights.cell_m**2 >= config.min_seed_m2
    is_kept[0] = False
    return np.asarray(np.where(is_kept, np.cumsum(is_kept), 0)[patches])


def _kind(outline: PatchOutline, heights: ReliefMap, fringe_m: Array, config: RaisedPatchConfig) -> Kind:
    is_beside = _rim_share(outline, heights.is_tall) > config.max_cut_share
    if is_beside or float(fringe_m[outline.rows, outline.columns].max()) < config.fringe_m:
        return "fringe"
    if _rim_share(outline, ~heights.is_measured) > config.max_cut_share:
        return "cut off"
    if outline.area_m2 > config.max_area_m2:
        return "swell"
    is_foreign = outline.foreign_share is not None and outline.foreign_share >= config.min_foreign_share
    if not is_foreign and not _is_upright(outline, config):
        return "swell"
    if outline.length_m < config.min_length_m:
        return "small"
    if _is_cable(outline, config):
        return "cable"
    return "object" if outline.height_m >= config.min_height_m else "flat"


def _is_upright(outline: PatchOutline, config: RaisedPatchConfig) -> bool:
    """Return whether a thing of the support's own colour has the flanks of a thing and not of a fold."""
    if outline.strength < config.min_strength:
        return False
    is_steep = outline.height_m >= config.min_steepness * outline.breadth_m
    return outline.softness <= (config.max_softness if is_steep else config.crisp_softness)


def _is_cable(outline: PatchOutline, config: RaisedPatchConfig) -> bool:
    return (
        outline.breadth_m <= config.max_cable_breadth_m
        and outline.path_m >= config.min_cable_length_m
        and outline.path_m >= config.min_cable_slenderness * outline.breadth_m
    )


def _rim_share(outline: PatchOutline, beyond: Array) -> float:
    """Return the share of an outline's rim that touches cells of a mask [rows, columns]."""
    inside = np.zeros(beyond.shape, dtype=bool)
    inside[outline.rows, outline.columns] = True
    rim = inside & ~ndimage.binary_erosion(inside)
    return float(ndimage.binary_dilation(beyond, iterations=2)[rim].mean()) if rim.any() else 0.0
