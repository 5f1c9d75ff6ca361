"""Values go to bytes and back without loss, and hostile bytes are refused with one kind of error."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cousins.codec import decode, encode, plain
from cousins.errors import InputError
from cousins.geometry import Array
from cousins.quantities import Quantity


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Leaf:
    points: Array
    masks: dict[int, Array] = field(default_factory=dict)
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Tree:
    name: str
    number: float
    leaves: tuple[Leaf, ...] = ()
    pair: tuple[int, str] = (0, "")
    mass_kg: Quantity | None = None
    path: Path | None = None
    flags: list[bool] = field(default_factory=list)


DTYPES = st.sampled_from(["?", "u1", "<u2", "<i4", "<i8", "<f4", "<f8", ">f8"])
ARRAYS = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)))
LEAVES = st.builds(
    Leaf, points=ARRAYS, masks=st.dictionaries(st.integers(0, 99), ARRAYS, max_size=2), kind=st.sampled_from(["a", "b"])
)
TREES = st.builds(
    Tree,
    name=st.text(max_size=9),
    number=st.floats(allow_nan=False),
    leaves=st.lists(LEAVES, max_size=2).map(tuple),
    pair=st.tuples(st.integers(), st.text(max_size=3)),
    mass_kg=st.none() | st.just(Quantity(value=1.0, low=0.5, high=2.0, source="model")),
    path=st.none() | st.just(Path("a/b.jpg")),
    flags=st.lists(st.booleans(), max_size=3),
)


def same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        little = first.astype(first.dtype.newbyteorder("<"))
        return second.dtype == little.dtype and second.shape == first.shape and second.tobytes() == little.tobytes()
    if isinstance(first, Tree | Leaf):
        return all(same(getattr(first, name), getattr(second, name)) for name in first.__slots__)
    if isinstance(first, tuple | list):
        return type(first) is type(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(item, second[key]) for key, item in first.items())
    return bool(first == second)


@given(TREES)
def test_a_value_comes_back_as_it_was(tree: Tree) -> None:
    data = encode(tree)
    again = decode(Tree, data)
    assert same(tree, again)
    assert encode(again) == data


@given(TREES, st.data())
def test_changed_bytes_are_read_or_refused_but_nothing_else(tree: Tree, data: st.DataObject) -> None:
    raw = bytearray(encode(tree))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    with contextlib.suppress(InputError):
        decode(Tree, bytes(raw))


def test_an_array_may_be_written_to_after_reading() -> None:
    again = decode(Leaf, encode(Leaf(points=np.zeros((2, 3)))))
    again.points[0, 0] = 1.0
    assert again.points[0, 0] == 1.0


def test_infinities_and_nan_survive() -> None:
    for number in (math.inf, -math.inf, math.nan):
        again = decode(Tree, encode(Tree(name="", number=number)))
        assert repr(again.number) == repr(number)


def test_the_layout_of_an_array_in_memory_does_not_change_the_bytes() -> None:
    points = np.arange(12.0).reshape(3, 4)
    assert encode(Leaf(points=np.asfortranarray(points))) == encode(Leaf(points=points))


def test_paths_are_kept_relative_and_may_not_leave_their_folder(tmp_path: Path) -> None:
    data = encode(Tree(name="", number=0.0, path=tmp_path / "rgb/0.jpg"), root=tmp_path)
    assert str(tmp_path).encode() not in data
    assert decode(Tree, data, root=Path("/elsewhere")).path == Path("/elsewhere/rgb/0.jpg")
    outside = encode(Tree(name="", number=0.0, path=Path("../../etc/passwd")))
    with pytest.raises(InputError, match="leaves its folder"):
        decode(Tree, outside, root=tmp_path)


def test_what_cannot_be_stored_is_refused_when_written() -> None:
    with pytest.raises(ValueError, match="type object cannot be stored"):
        encode({"a": object()})
    with pytest.raises(ValueError, match="arrays of object"):
        encode(np.array([object()]))


def test_a_giant_array_is_refused_before_memory_is_asked_for() -> None:
    data = encode(np.zeros(3)).replace(b'"shape":[3]', b'"shape":[9]')
    with pytest.raises(InputError, match="cut short"):
        decode(np.ndarray, data)


def test_plain_values_are_ready_for_json() -> None:
    value = {"q": Quantity(value=1.0, low=0.5, high=2.0, source="model"), "a": np.eye(2), "p": Path("x"), "n": math.nan}
    assert plain(value) == {
        "q": {"value": 1.0, "low": 0.5, "high": 2.0, "source": "model"},
        "a": [[1.0, 0.0], [0.0, 1.0]],
        "p": "x",
        "n": None,
    }
