"""Straight edges of an image as planes through the camera: their normals vote for vanishing directions.

An edge in space and the camera's centre span a plane. The edges of one direction in space, such as upright ones, have
planes whose normals are all perpendicular to it (Coughlan and Yuille, "Manhattan World", ICCV 1999, by single edge
pixels as here).
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from cousins.geometry import Array, Intrinsics

LONG_SIDE_PX = 480
"""Longer image side at which edges are measured [px]."""
STRAIGHT_SIGMA_PX = 3.0
"""Neighbourhood within which an edge must be straight, standard deviation [px]."""
MIN_COHERENCE = 0.95
"""Least coherence of the structure tensor, 0..1: texture and corners have less."""
MIN_CONTRAST = 0.04
"""Least grey step of an edge, of 1, at a blur of a pixel: three times the noise of a phone's picture in the dark."""
MAX_EDGES = 1500
"""Largest number of edge pixels of an image, evenly spread over those that qualify."""


def edge_plane_normals(gray: Array, camera: Intrinsics) -> Array:
    """Return camera-frame unit normals [n, 3] of the planes through straight edge pixels of an image 0..1 [h, w]."""
    scale = min(1.0, LONG_SIDE_PX / max(gray.shape))
    width, height = round(gray.shape[1] * scale), round(gray.shape[0] * scale)
    small = np.asarray(
        Image.fromarray(gray.astype(np.float32)).resize((width, height), Image.Resampling.BOX), dtype=np.float64
    )
    reduced = camera.scaled(width, height)
    gx, gy = (gaussian_filter(small, 1.0, order=order) for order in ((0, 1), (1, 0)))
    xx, xy, yy = (gaussian_filter(product, STRAIGHT_SIGMA_PX) for product in (gx * gx, gx * gy, gy * gy))
    spread = np.hypot(xx - yy, 2.0 * xy)
    strength = np.hypot(gx, gy)
    is_edge = (spread > MIN_COHERENCE * (xx + yy)) & (strength > MIN_CONTRAST) & _is_crest(strength, gx, gy)
    is_edge[[0, -1]] = is_edge[:, [0, -1]] = False
    v, u = np.nonzero(is_edge)
    if len(u) > MAX_EDGES:
        v, u = (places[np.linspace(0, len(places) - 1, MAX_EDGES).astype(int)] for places in (v, u))
    across = 0.5 * np.arctan2(2.0 * xy[v, u], xx[v, u] - yy[v, u])
    rays = np.column_stack([(u - reduced.cx) / reduced.fx, (v - reduced.cy) / reduced.fy, np.ones(len(u))])
    along = np.column_stack([-np.sin(across) / reduced.fx, np.cos(across) / reduced.fy, np.zeros(len(u))])
    normals = np.cross(rays, along)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def _is_crest(strength: Array, gx: Array, gy: Array) -> Array:
    """Return where the gradient is strongest across its edge, bool [h, w]."""
    horizontal = np.abs(gx) >= np.abs(gy)
    padded = np.pad(strength, 1)
    across = np.maximum(padded[1:-1, 2:], padded[1:-1, :-2])
    down = np.maximum(padded[2:, 1:-1], padded[:-2, 1:-1])
    return np.asarray(strength >= np.where(horizontal, across, down))
