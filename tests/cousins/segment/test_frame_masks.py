"""Packed masks are the masks."""

from __future__ import annotations

import numpy as np

from cousins.codec import decode, encode
from cousins.segment.frame_masks import FrameMasks, pack_labels, pack_mask, pack_masks


def test_packed_masks_are_the_masks_and_small() -> None:
    rng = np.random.default_rng(0)
    masks = {k: np.zeros((48, 64), dtype=bool) for k in (9, 3, 5)}
    masks[9][7:20, 63] = True
    masks[3][10:31, 5:17] = rng.uniform(size=(21, 12)) < 0.5
    packed = pack_masks(masks)
    assert list(packed) == [9, 3, 5]
    assert all(np.array_equal(packed[k], mask) and packed[k].dtype == bool for k, mask in masks.items())
    assert [packed.is_visible(k) for k in (9, 3, 5, 4)] == [True, True, False, False]
    assert packed.packed[3].bits.nbytes <= 21 * 12 / 8 + 1
    again = decode(FrameMasks, encode(packed))
    assert all(np.array_equal(again[k], mask) for k, mask in masks.items())
    assert pack_masks(packed) is packed


def test_labels_are_packed_as_their_masks_are_and_small_ones_left_out() -> None:
    labels = np.full((24, 32), -1)
    labels[3:9, 4:20], labels[5, 6], labels[20:, 30:] = 2, 0, 5
    packed = pack_labels(labels, min_pixels=2)
    assert list(packed) == [2, 5]
    for label, mask in packed.items():
        assert np.array_equal(mask.unpacked(), labels == label)
        assert mask.bits.tobytes() == pack_mask(labels == label).bits.tobytes()
