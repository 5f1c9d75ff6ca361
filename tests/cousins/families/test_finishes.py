"""Finishes are made by program, alike at opposite edges, and of every kind that was promised."""

from __future__ import annotations

import numpy as np
import pytest

from cousins.errors import UnknownNameError
from cousins.families.finishes import FINISHES, make_texture


@pytest.mark.parametrize("name", sorted(FINISHES))
def test_a_texture_is_seamless_and_the_same_for_the_same_chance(name: str) -> None:
    image = make_texture(name, np.random.default_rng(3), 64)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, make_texture(name, np.random.default_rng(3), 64))
    assert np.any(image != make_texture(name, np.random.default_rng(4), 64))
    levels = image.astype(np.float64)
    for axis in (0, 1):
        inside = np.abs(np.diff(levels, axis=axis)).mean(axis=(0, 1, 2))
        jumps = np.abs(np.diff(levels, axis=axis)).mean(axis=(1 - axis, 2))
        seam = np.abs(np.take(levels, 0, axis) - np.take(levels, -1, axis)).mean()
        assert seam <= max(jumps.max(), inside) + 1e-9


def test_all_documented_finishes_exist_and_an_unknown_one_is_an_error() -> None:
    assert {"wood", "metal", "plastic", "ceramic", "fabric", "cardboard"} <= set(FINISHES)
    assert FINISHES["metal"].metallic == 1.0
    assert all(0.0 <= finish.roughness <= 1.0 for finish in FINISHES.values())
    with pytest.raises(UnknownNameError, match="no finish named 'gold'"):
        make_texture("gold", np.random.default_rng(0), 8)
