"""Stored arrays are read when they are used, and what is written and read again is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cousins.codec import encode, read_value, write_value
from cousins.errors import InputError
from cousins.geometry import Array
from cousins.stored_arrays import CACHE_BYTES, ChangedArray, FileArray, StoredArray, changed, held


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    pixels: StoredArray = StoredArray()  # noqa: RUF009 (a descriptor)
    name: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Album:
    pictures: tuple[Picture, ...]
    corner: Array


class Counted:
    """Counts how often it is read."""

    dtype, shape = np.dtype(np.uint8), (CACHE_BYTES // 8,)

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> Array:
        self.reads += 1
        return np.full(self.shape, 7, dtype=self.dtype)


def album(count: int) -> Album:
    pixels = [np.arange(k, k + 6, dtype=np.float32).reshape(2, 3) for k in range(count)]
    return Album(pictures=tuple(Picture(pixels=array, name=str(k)) for k, array in enumerate(pixels)), corner=np.eye(2))


def test_a_field_must_be_given() -> None:
    with pytest.raises(TypeError, match="pixels"):
        Picture(name="a")


def test_a_file_gives_back_what_was_written_and_holds_no_pixels(tmp_path: Path) -> None:
    path = tmp_path / "value.bin"
    with path.open("wb") as file:
        write_value(album(3), file)
    assert path.read_bytes() == encode(album(3))
    again = read_value(Album, path)
    assert all(isinstance(held(picture, "pixels"), FileArray) for picture in again.pictures)
    assert [picture.pixels.tolist() for picture in again.pictures] == [p.pixels.tolist() for p in album(3).pictures]
    assert encode(again) == path.read_bytes()


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "value.bin"
    path.write_bytes(encode(album(3))[:-1])
    with pytest.raises(InputError, match="cut short"):
        read_value(Album, path)


def test_a_source_is_read_again_only_after_others_took_its_place() -> None:
    sources = [Counted() for _ in range(10)]
    pictures = [Picture(pixels=source, name="a") for source in sources]
    assert pictures[0].pixels.sum() == pictures[0].pixels.sum()
    assert sources[0].reads == 1
    for picture in pictures:
        assert picture.pixels[0] == 7
    assert pictures[0].pixels[0] == 7
    assert [source.reads for source in sources] == [2] + 9 * [1]


def test_a_changed_source_stays_on_disk_and_a_changed_array_in_memory() -> None:
    source = Counted()
    later = changed(source, lambda array: array + 1)
    assert isinstance(later, ChangedArray)
    assert source.reads == 0
    assert Picture(pixels=later, name="a").pixels[0] == 8
    assert changed(np.zeros(2), lambda array: array + 1).tolist() == [1.0, 1.0]
