"""Exemplar-based completion: fill what is unknown of a texture with patches of its known part, not with blur.

Coarse to fine over a pyramid: PatchMatch finds for each unknown pixel the known patch that fits its surroundings,
patches vote for colours (Wexler et al., Space-time completion of video, PAMI 2007), and on the finest level each pixel
copies the colour of its source, so that the result is as sharp as the known part.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.texture.exemplar_kernels import PATCH_RADIUS_PX, search_patches, vote

COARSEST_PX = 32
"""Smallest side of a level of the pyramid [px]: some four patches."""
FALL_OFF = 1.3
"""Factor by which a pixel's weight falls with each pixel from what is known (Wexler et al.)."""
MAX_LAYERS = 8
"""Depth of a hole that is filled from its rim inwards without a coarser level [px]: about one patch."""
MIN_WEIGHT = 1e-3
"""Smallest weight: deep inside all pixels are equally unsure."""
MIN_SOURCES = 64
"""Fewest whole patches from which a level is filled; fewer repeat visibly."""
ROUNDS = 4
"""Rounds of search and vote on a level; further ones change little (Barnes et al.)."""
FINEST_ROUNDS = 1
"""Rounds of search on the finest level, which starts from the sources of the level below."""
REFINED_REACH_PX = 16
"""Reach of the random search on levels that start from a coarser one's sources [px]: two patches."""
SEED = 20240601
"""Seed of the random search."""


def synthesize(detail: Array, is_target: Array, is_known: Array, is_example: Array) -> Array | None:
    """Return float32 [h, w, 3] with the target filled from patches of the example, or None with too few patches.

    Masks are bool [h, w], sides powers of two. What is known guides the search, and only the example, a part of it, is
    copied; pixels that are neither target nor known take no part.
    """
    is_example = is_example & is_known
    levels = [(np.where(is_known[..., None], detail, 1.0).astype(np.float32), is_target, is_known, is_example)]
    while min(levels[-1][1].shape) > COARSEST_PX and _depth_px(levels[-1][1]) > MAX_LAYERS:
        coarser = _halved(*levels[-1])
        if _centers(coarser[3]).sum() < MIN_SOURCES:
            break
        levels.append(coarser)
    if _centers(levels[0][3]).sum() < MIN_SOURCES:
        return None
    offsets = None
    for depth in reversed(range(len(levels))):
        image, offsets = _fill_level(*levels[depth], offsets, is_finest=depth == 0)
    return image


def _fill_level(
    image: Array, is_target: Array, is_known: Array, is_example: Array, offsets: Array | None, *, is_finest: bool
) -> tuple[Array, Array]:
    """Return the level with its target filled, and each pixel's offset to its source, int32 [h, w, 2]."""
    is_source = _centers(is_example)
    places = np.argwhere(is_target).astype(np.int32)
    number = np.full(is_target.shape, -1, dtype=np.int32)
    number[is_target] = np.arange(len(places), dtype=np.int32)
    sources = _first_sources(places, is_source, offsets)
    costs = np.zeros(len(places), dtype=np.float32)
    image = np.ascontiguousarray(image)
    depth = ndimage.distance_transform_edt(~is_known)
    weight = np.where(is_target | is_known, np.maximum(FALL_OFF**-depth, MIN_WEIGHT), 0.0).astype(np.float32)
    if offsets is None:
        _fill_by_layers(image, is_source, is_known, depth, places, number, sources)
    else:
        image[is_target] = image[sources[:, 0], sources[:, 1]]
    reach_px = max(is_target.shape) if offsets is None else REFINED_REACH_PX
    everything = np.arange(len(places), dtype=np.int32)
    rounds = FINEST_ROUNDS if is_finest else ROUNDS
    for step in range(rounds):
        search_patches(
            image, weight, is_source, places, everything, number, sources, costs, reach_px, step % 2, SEED + step
        )
        if not is_finest:
            vote(image, weight, places, number, sources, costs)
    if is_finest:
        image[is_target] = image[sources[:, 0], sources[:, 1]]
    offset = np.zeros((*is_target.shape, 2), dtype=np.int32)
    offset[is_target] = sources - places
    return image, offset


def _fill_by_layers(
    image: Array, is_source: Array, is_known: Array, depth: Array, places: Array, number: Array, sources: Array
) -> None:
    """Fill the coarsest level in place from the rim inwards, so that its pattern continues what surrounds it."""
    layer = np.ceil(depth[places[:, 0], places[:, 1]]).astype(int)
    weight = is_known.astype(np.float32)
    costs = np.zeros(len(places), dtype=np.float32)
    for number_of_layer in np.unique(layer):
        order = np.flatnonzero(layer == number_of_layer).astype(np.int32)
        for step in range(ROUNDS):
            search_patches(
                image,
                weight,
                is_source,
                places,
                order,
                number,
                sources,
                costs,
                max(weight.shape),
                step % 2,
                SEED + step,
            )
        rows, columns = places[order].T
        image[rows, columns] = image[sources[order, 0], sources[order, 1]]
        weight[rows, columns] = 1.0


def _first_sources(places: Array, is_source: Array, offsets: Array | None) -> Array:
    """Return a source for each place [n, 2]: the doubled offset of the coarser level where it leads to one."""
    centers = np.argwhere(is_source).astype(np.int32)
    sources = centers[np.random.default_rng(SEED).integers(0, len(centers), len(places))]
    if offsets is None:
        return np.ascontiguousarray(sources)
    half = np.minimum(places // 2, np.array(offsets.shape[:2]) - 1)
    proposed = places + 2 * offsets[half[:, 0], half[:, 1]]
    inside = ((proposed >= 0) & (proposed < is_source.shape)).all(axis=1)
    inside[inside] = is_source[proposed[inside, 0], proposed[inside, 1]]
    return np.ascontiguousarray(np.where(inside[:, None], proposed, sources).astype(np.int32))


def _centers(is_example: Array) -> Array:
    """Return where a whole patch of known pixels is centred, bool [h, w]."""
    side = 2 * PATCH_RADIUS_PX + 1
    return np.asarray(ndimage.minimum_filter(is_example.view(np.uint8), side, mode="constant").view(bool))


def _depth_px(is_target: Array) -> float:
    return float(ndimage.distance_transform_edt(is_target).max())


def _halved(image: Array, is_target: Array, is_known: Array, is_example: Array) -> tuple[Array, Array, Array, Array]:
    """Return a level at half the size; a pixel with any target is target, one that is known throughout is known."""
    height, width = is_target.shape[0] // 2, is_target.shape[1] // 2
    blocks = (height, 2, width, 2)
    target = np.asarray(is_target.reshape(blocks).any(axis=(1, 3)))
    observed = np.asarray(is_known.reshape(blocks).all(axis=(1, 3)))
    example = np.asarray(is_example.reshape(blocks).all(axis=(1, 3)))
    mean = image.reshape(*blocks, 3).mean(axis=(1, 3))
    return np.where(observed[..., None], mean, 1.0).astype(np.float32), target, observed, example
