"""Plans: which cousins and episodes, in which order, and keys that follow from content alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.pack.packs import Pack, open_folder
from cousins.pack.writer import write_pack
from cousins.regress.plans import audited_pairs, planned_pairs, qualifying_cousins, spread
from cousins.regress.result_keys import cousin_digest, portable_key, result_key
from cousins.regress.suites import CousinFilter
from tests.cousins.pack.packs_for_tests import META, cousins, small_pack, table_library
from tests.cousins.regress.evidence_for_tests import PROVENANCE


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack") / "pack"
    small_pack(folder)
    return open_folder(folder)


def test_every_cousin_gets_as_many_episodes_in_an_order_drawn_by_the_seed() -> None:
    pairs = planned_pairs([3, 5, 8], episodes=31, seed=1, test="push-mujoco")
    assert len(set(pairs)) == 31
    assert sorted(Counter(cousin for cousin, _ in pairs).values()) == [10, 10, 11]
    assert pairs == planned_pairs([3, 5, 8], episodes=31, seed=1, test="push-mujoco")
    assert pairs != planned_pairs([3, 5, 8], episodes=31, seed=2, test="push-mujoco")
    assert [cousin for cousin, _ in pairs] != sorted(cousin for cousin, _ in pairs)


def test_a_tenth_of_the_reused_results_is_drawn() -> None:
    pairs = {(number, 0) for number in range(50)}
    audited = audited_pairs(pairs, run_key="a")
    assert len(audited) == 5
    assert set(audited) <= pairs
    assert audited != audited_pairs(pairs, run_key="b")
    assert len(audited_pairs({(1, 1)}, run_key="a")) == 1
    assert audited_pairs([], run_key="a") == []


def test_cousins_are_filtered_by_split_number_and_distance(pack: Pack) -> None:
    train = qualifying_cousins(CousinFilter(split="train"), pack)
    assert train == pack.indices("train")
    near = qualifying_cousins(CousinFilter(split="train", axes={"layout": (0.0, 0.5)}), pack)
    assert near == [number for number in train if pack.cousin(number).distances["layout"] <= 0.5]
    assert 0 < len(near) < len(train)
    assert qualifying_cousins(CousinFilter(numbers=(5, 2)), pack) == [2, 5]
    with pytest.raises(InputError, match="cousin 99, which the pack lacks"):
        qualifying_cousins(CousinFilter(numbers=(2, 99)), pack)
    with pytest.raises(InputError, match="cousin 5, which the pack lacks"):
        qualifying_cousins(CousinFilter(numbers=(5,)), pack, available=[1, 2])


def test_a_count_is_spread_over_all() -> None:
    assert spread([1, 2, 3, 4, 5, 6], 3) == [1, 3, 5]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([1, 2], None) == [1, 2]


def test_keys_follow_from_the_content_of_a_cousin_and_not_from_its_pack(pack: Pack, tmp_path: Path) -> None:
    library = table_library()
    changed = cousins(library, 12)
    changed[3] = replace(changed[3], split="heldout_near")
    changed[4] = replace(changed[4], task=replace(changed[4].task, goal_radius_m=0.07))
    write_pack(tmp_path / "other", library, changed, meta=replace(META, name="other"), rejections={})
    other = open_folder(tmp_path / "other")
    assert other.digest != pack.digest
    differing = [number for number in pack.indices() if cousin_digest(pack, number) != cousin_digest(other, number)]
    assert differing == [changed[4].index]


def test_a_key_changes_with_each_part_of_its_content(pack: Pack) -> None:
    cousin = cousin_digest(pack, 1)
    key = portable_key(cousin, PROVENANCE, 0)
    assert portable_key(cousin, PROVENANCE, 1) != key
    assert portable_key(cousin_digest(pack, 2), PROVENANCE, 0) != key
    for field in ("task", "policy", "engine", "engine_version", "code"):
        assert portable_key(cousin, replace(PROVENANCE, **{field: "other"}), 0) != key
    elsewhere = replace(PROVENANCE, cpu="other")
    assert portable_key(cousin, elsewhere, 0) == key
    assert result_key(key, elsewhere) != result_key(key, PROVENANCE)
