"""Hybrids keep to the twin but for the chosen differences, and the search finds the smallest set that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.pack.packs import open_folder
from cousins.pack.records.cousin_records import cousin_record, rounded_cousin
from cousins.pack.twins import twin_cousin
from cousins.regress.hybrids import Difference, blend, changes_of, differences
from cousins.regress.minimal_cases import MinimalRun, read_minimal, write_minimal
from cousins.regress.minimising import delta_debug, smallest_amount
from cousins.vary.cousins import Cousin, ObjectInstance, build_scene
from tests.cousins.pack.packs_for_tests import cousin, small_pack, table_library
from tests.sim.worlds_for_tests import push_task

LIBRARY = table_library()
TWIN = replace(twin_cousin(LIBRARY), task=push_task(target="box"))
DRAWN = [cousin(LIBRARY, index) for index in range(1, 40)]


def box_of(cousin: Cousin) -> ObjectInstance:
    return next(item for item in cousin.objects if item.name == "box")


COUSIN = next(item for item in DRAWN if box_of(item).variant != "box")
SAME_BOX = next(item for item in DRAWN if box_of(item).variant == "box")
RUN = MinimalRun(
    task="push",
    engine="mujoco",
    engine_version="3.17.0",
    policy={"path": "policy.py:act", "body": None, "control": None, "control_hz": None},
    policy_digest="d",
    seed=0,
    starts=(1, 2, 3),
    needed_failures=3,
)


def same_but_for(first: object, second: object, *names: str) -> bool:
    return replace(first, **{name: getattr(second, name) for name in names}) == second  # type: ignore[type-var]


def test_no_difference_is_the_twin_and_all_of_them_are_the_cousin() -> None:
    every = differences(TWIN, COUSIN, LIBRARY)
    assert {part.axis for part in every} >= {"layout", "dynamics", "look", "task"}
    nothing = blend(TWIN, COUSIN, [], LIBRARY)
    assert same_but_for(nothing, TWIN, "index", "split", "spawn_key", "distances")
    all_parts = blend(TWIN, COUSIN, every, LIBRARY)
    assert same_but_for(all_parts, COUSIN, "distances", "relations")


@pytest.mark.parametrize("axis", ["layout", "dynamics", "look", "task", "shape", "swap"])
def test_one_axis_changes_nothing_of_the_others(axis: str) -> None:
    every = differences(TWIN, COUSIN, LIBRARY)
    parts = [part for part in every if part.axis == axis]
    hybrid = blend(TWIN, COUSIN, parts, LIBRARY)
    assert differences(TWIN, hybrid, LIBRARY) == parts or axis in ("shape", "swap")
    assert {part.axis for part in differences(TWIN, hybrid, LIBRARY)} <= {axis, "layout", "dynamics"}
    build_scene(hybrid, LIBRARY)


def test_half_of_a_difference_lies_between() -> None:
    parts = [Difference(axis="layout", object="box"), Difference(axis="dynamics", object="box")]
    twin_box, cousin_box = box_of(TWIN), box_of(SAME_BOX)
    half = box_of(blend(TWIN, SAME_BOX, parts, LIBRARY, amount=0.5))
    assert half.position_m[0] == pytest.approx((twin_box.position_m[0] + cousin_box.position_m[0]) / 2)
    assert half.friction == pytest.approx((twin_box.friction + cousin_box.friction) / 2)
    assert half.mass_kg[0] ** 2 == pytest.approx(twin_box.mass_kg[0] * cousin_box.mass_kg[0])
    assert sum(value * value for value in half.quat_wxyz) == pytest.approx(1.0)
    changed = {(row["object"], row["parameter"]) for row in changes_of(TWIN, blend(TWIN, SAME_BOX, parts, LIBRARY))}
    assert {item[0] for item in changed} == {"box"}
    assert ("box", "friction") in changed


def test_delta_debugging_leaves_exactly_what_is_needed() -> None:
    tried: list[tuple[int, ...]] = []

    def fails(parts: Sequence[int]) -> bool:
        tried.append(tuple(parts))
        return {3, 11} <= set(parts)

    assert sorted(delta_debug(list(range(16)), fails)) == [3, 11]
    assert len(tried) < 100
    assert delta_debug([7], lambda parts: 7 in parts) == [7]


def test_the_smallest_amount_is_bisected() -> None:
    assert smallest_amount(lambda amount: amount >= 0.3) == pytest.approx(0.3, abs=1 / 64)
    assert smallest_amount(lambda amount: amount > 1.0) == 1.0


def test_a_minimal_case_loads_without_its_pack(tmp_path: Path) -> None:
    small_pack(tmp_path / "pack")
    pack = open_folder(tmp_path / "pack")
    path = tmp_path / "minimal.json"
    write_minimal(path, pack.cousin(3), pack, shown_by=(0, 3), run=RUN, cause={"amount": 0.5})
    (tmp_path / "pack").rename(tmp_path / "gone")
    case = read_minimal(path)
    assert cousin_record(case.cousin) == cousin_record(rounded_cousin(open_folder(tmp_path / "gone").cousin(3)))
    assert (case.run, case.cause) == (RUN, {"amount": 0.5})
    scene = build_scene(case.cousin, case.library)
    assert [item.asset.name for item in scene.objects] == [item.name for item in case.cousin.objects]
    path.write_text(path.read_text().replace('"amount":0.5', '"amount":0.4'))
    with pytest.raises(InputError, match="which is no minimal case: content of another SHA-256"):
        read_minimal(path)
    with pytest.raises(InputError, match="which is no minimal case"):
        read_minimal(tmp_path / "none.json")
