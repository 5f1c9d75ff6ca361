"""Tone-map HDR video to 8-bit sRGB (ITU-R BT.2100 curves, BT.2087 primaries, BT.2408 reference white)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cousins.geometry import Array

WHITE_NITS = 203.0
"""HDR reference white [cd/m²]; it is mapped to sRGB white."""
KNEE = 0.7
"""Linear light above which highlights are compressed."""

_BT709_FROM_BT2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
_LUMA = np.array([0.2627, 0.6780, 0.0593])


def srgb_from_hdr(signal: Array, *, curve: Literal["hlg", "pq"] | str) -> Array:
    """Return uint8 sRGB [h, w, 3] of a BT.2020 signal 0..1 [h, w, 3]."""
    light = _hlg_nits(signal) if curve == "hlg" else _pq_nits(signal)
    linear = np.maximum(light / WHITE_NITS @ _BT709_FROM_BT2020.T, 0.0)
    rest = 1.0 - KNEE
    linear = np.where(linear < KNEE, linear, 1.0 - rest * np.exp(-(np.maximum(linear, KNEE) - KNEE) / rest))
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255.0 * np.clip(encoded, 0.0, 1.0)).astype(np.uint8))


def _hlg_nits(signal: Array) -> Array:
    """Return display light [cd/m²] of hybrid log-gamma on a display of 1000 cd/m² (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3.0, (np.exp((signal - c) / a) + b) / 12.0)
    return np.asarray(1000.0 * np.maximum(scene @ _LUMA, 1e-9)[..., None] ** 0.2 * scene)


def _pq_nits(signal: Array) -> Array:
    """Return display light [cd/m²] of the perceptual quantiser (BT.2100, table 4)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = np.maximum(signal, 0.0) ** (1.0 / m2)
    return np.asarray(10000.0 * (np.maximum(root - c1, 0.0) / (c2 - c3 * root)) ** (1.0 / m1))
