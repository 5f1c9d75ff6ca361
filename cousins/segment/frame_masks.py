"""The masks of one object by frame, packed: a bit a pixel, within the rectangle that holds the mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedMask:
    """One mask."""

    shape: tuple[int, int]
    """Height and width of the image [px]."""
    corner: tuple[int, int]
    """First row and column of the rectangle [px]."""
    size: tuple[int, int]
    """Height and width of the rectangle [px]; 0 for an empty mask."""
    bits: Array
    """The rectangle's pixels in row order, eight to a byte, uint8 [n]."""
    pixels: int
    """Number of pixels of the mask."""

    def unpacked(self) -> Array:
        """Return the mask, bool [h, w]."""
        mask = np.zeros(self.shape, dtype=bool)
        (top, left), (rows, columns) = self.corner, self.size
        pixels = np.unpackbits(self.bits, count=rows * columns).astype(bool)
        mask[top : top + rows, left : left + columns] = pixels.reshape(rows, columns)
        return mask


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FrameMasks(Mapping[int, Array]):
    """Masks by frame index, bool [h, w] at the depth image's size; each is unpacked when it is read."""

    packed: dict[int, PackedMask] = field(default_factory=dict)
    """The packed masks by frame index."""

    def __getitem__(self, index: int) -> Array:
        return self.packed[index].unpacked()

    def __iter__(self) -> Iterator[int]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)

    @property
    def pixels(self) -> int:
        """Number of pixels of all masks."""
        return sum(mask.pixels for mask in self.packed.values())

    def is_visible(self, index: int) -> bool:
        """Return whether a frame has a mask with any pixel."""
        return index in self.packed and self.packed[index].pixels > 0

    def __contains__(self, index: object) -> bool:
        return index in self.packed


def pack_mask(mask: Array) -> PackedMask:
    """Return a mask, bool [h, w], packed."""
    (window,) = ndimage.find_objects(mask.astype(np.int8), max_label=1)
    rows, columns = (slice(0, 0), slice(0, 0)) if window is None else window
    return _packed(mask[rows, columns], (mask.shape[0], mask.shape[1]), (rows.start, columns.start))


def pack_labels(labels: Array, *, min_pixels: int) -> dict[int, PackedMask]:
    """Return the mask of each label from 0 on, in order, that has enough pixels in a label image, int [h, w]."""
    masks = {}
    for label, window in enumerate(ndimage.find_objects(labels + 1)):
        inside = np.zeros((0, 0), dtype=bool) if window is None else labels[window] == label
        if np.count_nonzero(inside) >= min_pixels:
            corner = (window[0].start, window[1].start)
            masks[label] = _packed(inside, (labels.shape[0], labels.shape[1]), corner)
    return masks


def pack_masks(masks: Mapping[int, Array]) -> FrameMasks:
    """Return masks by frame index, bool [h, w] each, packed; masks that are packed already as they are."""
    if isinstance(masks, FrameMasks):
        return masks
    return FrameMasks(packed={index: pack_mask(mask) for index, mask in masks.items()})


def _packed(inside: Array, shape: tuple[int, int], corner: tuple[int, int]) -> PackedMask:
    """Return the mask of an image of a shape whose rectangle at a corner is `inside`, bool [h, w]."""
    size = (inside.shape[0], inside.shape[1])
    return PackedMask(
        shape=shape, corner=corner, size=size, bits=np.packbits(inside), pixels=int(np.count_nonzero(inside))
    )
