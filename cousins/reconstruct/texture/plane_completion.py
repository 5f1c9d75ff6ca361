"""Complete the texture of a plane under what stood on it: lift the contact shadow, fill the footprint.

Colour is split into shading (smooth, of the surface's main material alone) and detail (colour over shading). Shading
is continued smoothly into what was covered, detail by patches of the same material; so neither the colour of things
nearby nor a gradient of light is copied into it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from cousins.geometry import Array
from cousins.reconstruct.texture.exemplar import synthesize
from cousins.reconstruct.texture.inpainting import fill_in_image

RIM_M: Final = 0.004
"""Width of the rim of a footprint that is filled too [m]: a photo's pixels there mix surface and what stood on it."""
RING_M: Final = 0.04
"""Width of the ring around a footprint in which contact darkens a surface [m]: about half a cup's height."""
MIN_FOOTPRINT_M: Final = 0.01
"""Width from which a hole is a footprint and not a speck that no view reached [m]."""
CELL_M: Final = 0.02
"""Side of the cells on which material and shading are estimated [m]; rounded to a power of two of texels."""
SHADING_SIGMA_CELLS: Final = 3.0
"""Smoothness of shading [cells]: coarser than planks, tiles and stripes, finer than the light in a room."""
SHADOW_SIGMA_M: Final = 0.006
"""Smoothness of a contact shadow [m]: finer than it fades, coarser than a print's letters."""
MAX_LIFT: Final = 3.0
"""Largest gain by which a shadow is lifted: darker, noise of the photo shows instead of the surface."""
SHADOW_HUE: Final = 0.08
"""Largest change of a channel's share by a shadow: light from the sky is little bluer than a lamp's."""
MIN_SIDE_PX: Final = 64
"""Smallest side of a texture that holds patches enough to fill it from [px]."""
MATERIAL_LEVELS: Final = 48.0
"""Largest distance of a cell's mean from the main material [levels of 255]: half a stop at mid grey."""
MATERIAL_BINS: Final = 16
"""Bins of a colour histogram along a channel."""


def complete_plane(texture: Array, is_known: Array, is_surface: Array, texel_m: float) -> Array:
    """Return a texture uint8 [s, s, 3] of a plane, s a power of two, without footprints and their contact shadows.

    `is_known` and `is_surface`, bool [s, s], mark texels that a view observed and texels of the surface; what lies
    beyond the surface is filled smoothly. `texel_m` is the size of a texel [m].
    """
    is_target = is_surface & ~is_known
    if not is_target.any() or not is_known.any() or len(texture) < MIN_SIDE_PX:
        return fill_in_image(texture, is_known)
    ring_m = _distance_to_footprint_m(is_target, texel_m)
    is_rim = is_known & (ring_m <= RIM_M)
    is_target, is_known = is_target | is_rim, is_known & ~is_rim
    is_ring = is_known & (ring_m <= RING_M)
    is_trusted = is_known & ~is_ring
    if not is_trusted.any():
        return fill_in_image(texture, is_known)
    is_example, shading = _main_material(texture, is_trusted, texel_m)
    lifted = _lift_shadows(texture, is_example, is_known, is_ring, shading, ring_m, texel_m)
    is_material = np.linalg.norm(_smooth(lifted, is_known, texel_m) - shading, axis=-1) <= MATERIAL_LEVELS
    filled = synthesize(lifted / np.maximum(shading, 1.0), is_target, is_known & is_material, is_example)
    colors = shading if filled is None else filled * shading
    result = np.where(is_target[..., None], colors, lifted)
    result = np.rint(np.clip(result, 0.0, 255.0)).astype(np.uint8)
    return fill_in_image(result, is_known | is_surface)


def _distance_to_footprint_m(is_target: Array, texel_m: float) -> Array:
    """Return the distance of each texel to a footprint [m] [s, s]; specks are none."""
    depth = ndimage.distance_transform_edt(is_target) * texel_m
    core = depth >= MIN_FOOTPRINT_M / 2.0
    if not core.any():
        return np.full(is_target.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~core) * texel_m - MIN_FOOTPRINT_M / 2.0)


def _main_material(texture: Array, is_trusted: Array, texel_m: float) -> tuple[Array, Array]:
    """Return the texels of the surface's most common material, bool [s, s], and its shading, float32 [s, s, 3].

    Where no colour holds half of the known surface, all of it is taken.
    """
    scale = int(np.clip(2 ** round(np.log2(CELL_M / texel_m)), 1, len(texture) // 8))
    side = len(texture) // scale
    blocks = (side, scale, side, scale)
    weight = is_trusted.reshape(blocks).sum(axis=(1, 3)).astype(np.float64)
    total = (texture * is_trusted[..., None]).reshape(*blocks, 3).sum(axis=(1, 3), dtype=np.float64)
    share = ndimage.gaussian_filter(weight, 1.0, mode="nearest")
    means = ndimage.gaussian_filter(total, (1.0, 1.0, 0.0), mode="nearest") / np.maximum(share, 1e-9)[..., None]
    bins = np.clip(means * (MATERIAL_BINS / 256.0), 0, MATERIAL_BINS - 1).astype(int)
    counts = np.zeros((MATERIAL_BINS,) * 3)
    np.add.at(counts, tuple(np.moveaxis(bins, -1, 0)), weight)
    mode = np.unravel_index(ndimage.gaussian_filter(counts, 1.0, mode="constant").argmax(), counts.shape)
    color = (np.array(mode) + 0.5) * (256.0 / MATERIAL_BINS)
    is_main = np.linalg.norm(means - color, axis=-1) <= MATERIAL_LEVELS
    if weight[is_main].sum() < 0.5 * weight.sum():
        is_main = np.ones_like(is_main)
    is_main &= weight > 0
    shading = fill_in_image(np.rint(means).astype(np.uint8), is_main).astype(np.float32)
    sigma = (SHADING_SIGMA_CELLS, SHADING_SIGMA_CELLS, 0.0)
    shading = ndimage.gaussian_filter(shading, sigma, mode="nearest")
    shading = ndimage.zoom(shading, (scale, scale, 1), order=1, grid_mode=True, mode="nearest")
    is_inner = ndimage.binary_erosion(is_main | (weight == 0), border_value=1)
    return is_trusted & is_inner.repeat(scale, axis=0).repeat(scale, axis=1), shading


def _lift_shadows(
    texture: Array, is_example: Array, is_known: Array, is_ring: Array, shading: Array, ring_m: Array, texel_m: float
) -> Array:
    """Return the texture, float32, with what is darker than the material in the ring divided out.

    Only what darkens all channels alike counts, and only beyond the scatter of the material itself.
    """
    smooth = _smooth(texture, is_known, texel_m)
    total, expected = (colors.sum(axis=-1, keepdims=True) + 1.0 for colors in (smooth, shading))
    ratio = (total / expected)[..., 0]
    hue = np.abs(smooth / total - shading / expected)
    scatter = 1.4826 * float(np.median(np.abs(np.log(ratio[is_example])))) if is_example.any() else 0.0
    darkness = np.clip(-np.log(ratio) / max(scatter, 1e-3) - 1.0, 0.0, 1.0)
    fade = np.clip(2.0 * (1.0 - ring_m / RING_M), 0.0, 1.0)
    applies = is_ring & (hue.max(axis=-1) <= SHADOW_HUE) & (ratio > 1.0 / MAX_LIFT)
    lift = np.where(applies, ratio ** (-darkness * fade), 1.0)
    return np.asarray(texture * lift[..., None], dtype=np.float32)


def _smooth(texture: Array, is_known: Array, texel_m: float) -> Array:
    """Return the colours of what is known near each texel, float32 [s, s, 3]."""
    sigma = SHADOW_SIGMA_M / texel_m
    observed = is_known.astype(np.float32)
    share = np.maximum(ndimage.gaussian_filter(observed, sigma, mode="nearest"), 1e-3)
    weighted = texture * observed[..., None]
    return np.asarray(ndimage.gaussian_filter(weighted, (sigma, sigma, 0.0), mode="nearest") / share[..., None])
