"""Blocks of cousins are numbered, reproducible and split by number, and count their rejected draws."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cousins.codec import encode
from cousins.errors import StageError
from cousins.vary.cousin_sampler import CousinSampler, make_cousin_sampler
from cousins.vary.cousins import AXES, Library, build_scene
from cousins.vary.distributions import Constant
from cousins.vary.recipes import LayoutRange, Splits
from sim.physics.backends.mujoco import Config, build
from sim.validation.candidate_blocks import BLOCK_SIZE, Block, BlockBuilder, split_of
from sim.validation.stability_trial import run_trial
from tests.cousins.vary.tables_for_tests import recipe_at, sampler_at, table_library

ROOT = Path(__file__).parents[3]


def build_blocks(sampler: CousinSampler, *numbers: int) -> list[Block]:
    with BlockBuilder(sampler, engines=("mujoco",)) as blocks:
        return [blocks.make(number) for number in numbers]


@cache
def first_blocks() -> tuple[Block, Block]:
    first, second = build_blocks(sampler_at(0.6), 0, 1)
    return first, second


def test_blocks_are_numbered_and_begin_with_the_twin() -> None:
    first, second = first_blocks()
    assert [cousin.index for cousin in first.cousins] == list(range(BLOCK_SIZE))
    assert [cousin.index for cousin in second.cousins] == list(range(BLOCK_SIZE, 2 * BLOCK_SIZE))
    assert first.cousins[0] == sampler_at(0.6).twin
    assert [cousin.split for cousin in first.cousins].count("twin") == 1


def test_block_1_does_not_depend_on_block_0() -> None:
    (alone,) = build_blocks(sampler_at(0.6), 1)
    assert encode(alone) == encode(first_blocks()[1])


def test_distances_lie_between_0_and_1_and_no_two_cousins_are_alike() -> None:
    cousins = [cousin for block in first_blocks() for cousin in block.cousins]
    values = np.array([[cousin.distances[axis] for axis in AXES] for cousin in cousins])
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    assert (values[0] == 0.0).all()
    assert len(np.unique(values, axis=0)) == len(cousins)


def test_every_cousin_of_a_block_holds_in_the_engine_from_a_fresh_start() -> None:
    with build(Config()) as engine:
        for cousin in first_blocks()[0].cousins[::4]:
            trial = run_trial(build_scene(cousin, table_library()), engine)
            assert trial.failures == ()
            assert trial.settled_m < 2e-4


def test_far_cousins_show_held_out_shapes_and_no_other_does() -> None:
    for block in first_blocks():
        for cousin in block.cousins:
            is_held_out = any(table_library().variants[instance.variant].held_out for instance in cousin.objects)
            assert is_held_out == (cousin.split == "heldout_far")


def test_refused_draws_are_counted_by_axis_and_reason() -> None:
    for block in first_blocks():
        assert all(key.split(": ", 1)[0] in (*AXES, "physics") for key in block.refused)
        valid = len([cousin for cousin in block.cousins if cousin.split != "twin"])
        assert block.draws >= valid + sum(block.refused.values())


def test_at_distance_0_every_cousin_is_the_twin_but_for_coming_to_rest() -> None:
    (block,) = build_blocks(make_cousin_sampler(twins_only(), recipe_at(0.0), seed=0), 0)
    for cousin in block.cousins:
        assert max(cousin.distances.values()) < 1e-3
        assert cousin.split != "heldout_far"


def twins_only() -> Library:
    library = table_library()
    return Library(scene=library.scene, variants={k: v for k, v in library.variants.items() if v.kind == "twin"})


def test_a_recipe_that_fits_nowhere_ends_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.validation.candidate_blocks.MAX_DRAWS_PER_COUSIN", 3)
    recipe = replace(recipe_at(1.0), layout=LayoutRange(shift_m=Constant(value=500.0)))
    sampler = make_cousin_sampler(table_library(), recipe, seed=0)
    message = (
        r"vary: 0 of \d+ cousins of split train after \d+ draws; refused: layout: no free place under the relations"
    )
    with pytest.raises(StageError, match=message):
        build_blocks(sampler, 0)


def test_splits_take_their_shares() -> None:
    counts = Counter(split_of(index, Splits()) for index in range(1001))
    assert counts["twin"] == 1
    assert counts["heldout_near"] == 100
    assert 90 <= counts["heldout_far"] <= 100
    none = Splits(heldout_near=0.0, heldout_far=0.0)
    assert {split_of(index, none) for index in range(1, 100)} == {"train"}
    assert {split_of(index, Splits(heldout_near=0.0, heldout_far=1.0)) for index in range(1, 100)} == {"heldout_far"}


def test_the_bytes_do_not_depend_on_the_process_it_runs_in(tmp_path: Path) -> None:
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from cousins.codec import encode\n"
        "from tests.sim.validation.test_candidate_blocks import first_blocks\n"
        "print(hashlib.sha256(encode(first_blocks())).hexdigest())\n"
    )
    environment = {"PYTHONHASHSEED": "77", "TZ": "Asia/Kathmandu", "LANG": "tr_TR.UTF-8", "LC_ALL": "C"}
    environment |= {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
    process = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.split()[-1] == hashlib.sha256(encode(first_blocks())).hexdigest()
