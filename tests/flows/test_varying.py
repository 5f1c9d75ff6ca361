"""`cousins vary` from a scene to a pack: whole, the same after any accident, and helpful about wrong words."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from cousins.errors import StageError
from cousins.pack.packs import open_folder
from cousins.scene.layout.relations import find_relations
from cousins.scene.scene_folder import read_scene
from cousins.store import Store
from cousins.vary.cousins import AXES
from cousins.vary.recipes import parse_recipe
from flows.cli import run
from flows.pipeline.make_pack import BlockJob, VaryOrder, make_block, vary
from tests.flows.tiny_for_tests import COUNT, RECIPE, finished, started, vary_words, write_tiny


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vary")
    write_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def made(world: Path) -> dict[str, Any]:
    """A pack made by the command line with two workers."""
    return finished(started(vary_words(world / "scene", world / "pack"), world / "store"))


def here(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
    return (make_block(job, number) for number in numbers)


def order(world: Path, output: Path, *, count: int = COUNT) -> VaryOrder:
    return VaryOrder(scene=world / "scene", output=output, recipe=parse_recipe(RECIPE), count=count)


def quiet(what: str, done: int, total: int) -> None:
    pass


def test_a_pack_opens_and_every_cousin_of_it_is_a_scene(world: Path, made: dict[str, Any]) -> None:
    pack = open_folder(world / "pack")
    assert pack.indices() == list(range(COUNT + 1))
    assert (made["requested"], made["valid"]) == (COUNT, COUNT)
    for index in pack.indices():
        scene = pack.scene(index)
        assert {placed.asset.name for placed in scene.objects} == {"box", "brick", "upper"}
        held = set(find_relations(scene))
        assert {one for one in scene.relations if one.kind == "on"} <= held
        cousin = pack.cousin(index)
        assert all(0.0 <= cousin.distances[axis] <= 1.0 for axis in AXES)
        assert cousin.distances["clutter"] == 0.0


def test_cousin_0_is_the_scene(world: Path, made: dict[str, Any]) -> None:
    pack, home = open_folder(world / "pack"), read_scene(world / "scene")
    twin = pack.scene(0)
    assert pack.cousin(0).split == "twin"
    assert twin.relations == home.relations
    for placed, own in zip(twin.objects, home.objects, strict=True):
        assert placed.asset.name == own.asset.name
        np.testing.assert_allclose(placed.world_from_asset, own.world_from_asset, atol=2e-6)
        for link, before in zip(placed.asset.links, own.asset.links, strict=True):
            assert link.mass_kg == before.mass_kg
            np.testing.assert_array_equal(link.visual.vertices, before.visual.vertices)


def test_what_is_told_is_what_is_there(world: Path, made: dict[str, Any]) -> None:
    assert sum(made["splits"].values()) == COUNT + 1
    assert set(made["splits"]) == {"twin", "train", "heldout_near", "heldout_far"}
    assert set(made["coverage"]) == set(AXES)
    assert made["fallbacks"] == []
    assert made["bytes_per_cousin"] < 5000
    info = open_folder(world / "pack").info()
    assert {reason: sum(axes.values()) for reason, axes in info["rejections"].items()} == made["rejected"]


def test_a_cousin_does_not_change_when_more_are_asked_for(world: Path, made: dict[str, Any], tmp_path: Path) -> None:
    vary(order(world, tmp_path / "few", count=5), here, store=Store(world / "store"), tell=quiet)
    few, many = open_folder(tmp_path / "few"), open_folder(world / "pack")
    assert [few.cousin(index) for index in few.indices()] == [many.cousin(index) for index in range(6)]


def test_a_run_that_lost_a_block_makes_that_one_again_and_ends_the_same(
    world: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    """Blocks come in another order, by another runner, from a library that was made anew."""
    asked: list[list[int]] = []

    def backwards(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
        asked.append(list(numbers))
        yield from here(job, list(reversed(numbers)))
        if len(asked) == 1:
            raise KeyboardInterrupt

    wanted, store = order(world, tmp_path / "pack"), Store(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        vary(wanted, backwards, store=store, tell=quiet)
    first, _ = sorted((tmp_path / "pack").rglob("*.block"))
    first.unlink()
    again = vary(wanted, backwards, store=store, tell=quiet)
    assert asked == [[0, 1], [0]]
    assert again["digest"] == made["digest"]
    assert not (tmp_path / "pack" / ".writing").exists()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if any("spawn_main" in word for word in child.cmdline())]


def wait_for(process: subprocess.Popen[str], *words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.split() == list(words):
            return
    raise AssertionError(f"no line {words}")


def test_a_killed_run_goes_on_and_a_killed_worker_costs_nothing_but_time(
    world: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    words = vary_words(world / "scene", tmp_path / "pack", "--workers", "1")
    whole = started(words, world / "store")
    wait_for(whole, "blocks", "1", "of", "2")
    os.killpg(whole.pid, signal.SIGKILL)
    whole.communicate()
    assert not (tmp_path / "pack" / "pack.json").exists()

    again = started(words, world / "store")
    wait_for(again, "blocks", "1", "of", "2")
    deadline = time.monotonic() + 60.0
    while not (workers := workers_of(again)) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers[0].kill()
    assert finished(again)["digest"] == made["digest"]


def test_a_recipe_that_fits_nowhere_ends_with_reasons_and_no_pack(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.validation.candidate_blocks.MOST_DRAWS", 3)
    recipe = parse_recipe("[distance]\nshape = 0\nswap = 0\nclutter = 0\n[layout]\nshift_m = 500\n")
    wrong = VaryOrder(scene=world / "scene", output=tmp_path / "pack", recipe=recipe, count=3)
    with pytest.raises(StageError, match="layout: no free place under the relations"):
        vary(wrong, here, store=Store(world / "store"), tell=quiet)
    assert not (tmp_path / "pack" / "pack.json").exists()


def refused(*words: str) -> dict[str, str]:
    output = io.StringIO()
    assert run([*words, "--json"], output) == 2
    error: dict[str, str] = json.loads(output.getvalue())["error"]
    return error


@pytest.mark.parametrize(
    ("words", "found", "expected"),
    [
        (("-n", "0"), "0 cousins", "at least 1"),
        (("-n", "-3"), "-3 cousins", "at least 1"),
        (("-n", "many"), "argument -n/--count: invalid int value: 'many'", "usage: cousins vary"),
        (("--axis", "foo=2"), "no axis named 'foo'", "one of layout, clutter"),
        (("--axis", "layout=2"), "distance.layout = 2.0", "a number from 0 to 1"),
        (("--axis", "layout"), "--axis layout", "NAME=DISTANCE with a distance from 0 to 1"),
        (("--axis", "layout=nan"), "distance.layout = nan", "a number from 0 to 1"),
        (("--distance", "1.5"), "distance.layout = 1.5", "a number from 0 to 1"),
        (("--runner", "foo"), "no runner named 'foo'", "one of local, prefect, ray, dask"),
        (("--workers", "0"), "0 workers", "at least 1"),
        (("--seed", "-1"), "a seed of -1", "0 or more"),
        (("--recipe", "none.toml"), "no recipe 'none.toml'", "a TOML file"),
    ],
)
def test_wrong_words_are_told_and_leave_nothing(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], found: str, expected: str
) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    error = refused("vary", str(world / "scene"), "-o", str(tmp_path / "pack"), *words)
    assert error["found"] == found
    assert error["expected"].startswith(expected)
    assert error["hint"]
    assert not (tmp_path / "pack").exists()


def test_what_is_no_scene_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        error = refused("vary", str(tmp_path / name), "-o", str(tmp_path / "pack"))
        assert error["found"] == f"no scene.json in {name!r}"
        assert "cousins scan" in error["expected"]
    assert not (tmp_path / "pack").exists()


def test_an_output_that_holds_something_else_is_left_alone(
    world: Path, made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    error = refused("vary", str(world / "scene"), "-o", str(tmp_path / "mine"))
    assert error["found"] == f"something that is no pack at {str(tmp_path / 'mine')!r}"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    error = refused("vary", str(world / "scene"), "-o", str(world / "pack"))
    assert error["found"] == f"a finished pack at {str(world / 'pack')!r}"
    assert open_folder(world / "pack").indices() == list(range(COUNT + 1))


def test_a_recipe_written_for_a_scene_reads_back_and_turns_off_what_it_has_not(world: Path, tmp_path: Path) -> None:
    output = io.StringIO()
    assert run(["recipe", "init", str(world / "scene"), "-o", str(tmp_path / "r.toml"), "--json"], output) == 0
    recipe = parse_recipe((tmp_path / "r.toml").read_text())
    assert recipe.distance == dict.fromkeys(AXES, 0.6) | {"joints": 0.0}
    error = refused("recipe", "init", str(world / "scene"), "-o", str(tmp_path / "r.toml"))
    assert error["expected"] == "a new file"
