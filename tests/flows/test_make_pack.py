"""`cousins vary` from a scene to a pack: complete, identical after interruptions, with helpful errors."""

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
from flows.pipeline.make_pack import BlockJob, VaryRequest, make_block, make_pack
from tests.flows.tiny_for_tests import COUNT, RECIPE, finished, started, vary_words, write_tiny


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vary")
    write_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def pack_result(world: Path) -> dict[str, Any]:
    """A pack made by the command line with two workers."""
    return finished(started(vary_words(world / "scene", world / "pack"), world / "store"))


def run_in_process(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
    return (make_block(job, number) for number in numbers)


def vary_request(world: Path, output: Path, *, count: int = COUNT) -> VaryRequest:
    return VaryRequest(scene=world / "scene", output=output, recipe=parse_recipe(RECIPE), count=count)


def ignore_progress(stage: str, count: int, total: int) -> None:
    pass


def test_a_pack_opens_and_every_cousin_of_it_is_a_scene(world: Path, pack_result: dict[str, Any]) -> None:
    pack = open_folder(world / "pack")
    assert pack.indices() == list(range(COUNT + 1))
    assert (pack_result["requested"], pack_result["valid"]) == (COUNT, COUNT)
    for index in pack.indices():
        scene = pack.scene(index)
        assert {placed.asset.name for placed in scene.objects} == {"box", "brick", "upper"}
        relations = set(find_relations(scene))
        assert {relation for relation in scene.relations if relation.kind == "on"} <= relations
        cousin = pack.cousin(index)
        assert all(0.0 <= cousin.distances[axis] <= 1.0 for axis in AXES)
        assert cousin.distances["clutter"] == 0.0


def test_cousin_0_is_the_scene(world: Path, pack_result: dict[str, Any]) -> None:
    pack, twin_scene = open_folder(world / "pack"), read_scene(world / "scene")
    twin = pack.scene(0)
    assert pack.cousin(0).split == "twin"
    assert twin.relations == twin_scene.relations
    for placed, original in zip(twin.objects, twin_scene.objects, strict=True):
        assert placed.asset.name == original.asset.name
        np.testing.assert_allclose(placed.world_from_asset, original.world_from_asset, atol=2e-6)
        for link, before in zip(placed.asset.links, original.asset.links, strict=True):
            assert link.mass_kg == before.mass_kg
            np.testing.assert_array_equal(link.visual.vertices, before.visual.vertices)


def test_the_result_matches_the_pack(world: Path, pack_result: dict[str, Any]) -> None:
    assert sum(pack_result["splits"].values()) == COUNT + 1
    assert set(pack_result["splits"]) == {"twin", "train", "heldout_near", "heldout_far"}
    assert set(pack_result["coverage"]) == set(AXES)
    assert pack_result["fallbacks"] == []
    assert pack_result["bytes_per_cousin"] < 5000
    info = open_folder(world / "pack").info()
    assert {reason: sum(axes.values()) for reason, axes in info["rejections"].items()} == pack_result["rejected"]


def test_a_cousin_does_not_depend_on_the_number_of_cousins(
    world: Path, pack_result: dict[str, Any], tmp_path: Path
) -> None:
    make_pack(
        vary_request(world, tmp_path / "few", count=5),
        run_in_process,
        store=Store(world / "store"),
        progress=ignore_progress,
    )
    few, all_cousins = open_folder(tmp_path / "few"), open_folder(world / "pack")
    assert [few.cousin(index) for index in few.indices()] == [all_cousins.cousin(index) for index in range(6)]


def test_a_run_that_lost_a_block_makes_that_one_again_and_ends_the_same(
    world: Path, pack_result: dict[str, Any], tmp_path: Path
) -> None:
    """Blocks come in another order, by another runner, from a library that was rebuilt."""
    requested: list[list[int]] = []

    def backwards(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
        requested.append(list(numbers))
        yield from run_in_process(job, list(reversed(numbers)))
        if len(requested) == 1:
            raise KeyboardInterrupt

    request, store = vary_request(world, tmp_path / "pack"), Store(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        make_pack(request, backwards, store=store, progress=ignore_progress)
    first, _ = sorted((tmp_path / "pack").rglob("*.block"))
    first.unlink()
    second_run = make_pack(request, backwards, store=store, progress=ignore_progress)
    assert requested == [[0, 1], [0]]
    assert second_run["digest"] == pack_result["digest"]
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
    world: Path, pack_result: dict[str, Any], tmp_path: Path
) -> None:
    words = vary_words(world / "scene", tmp_path / "pack", "--workers", "1")
    first_run = started(words, world / "store")
    wait_for(first_run, "blocks", "1", "of", "2")
    os.killpg(first_run.pid, signal.SIGKILL)
    first_run.communicate()
    assert not (tmp_path / "pack" / "pack.json").exists()

    second_run = started(words, world / "store")
    wait_for(second_run, "blocks", "1", "of", "2")
    deadline = time.monotonic() + 60.0
    while not (workers := workers_of(second_run)) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers[0].kill()
    assert finished(second_run)["digest"] == pack_result["digest"]


def test_a_recipe_that_fits_nowhere_ends_with_reasons_and_no_pack(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.validation.candidate_blocks.MAX_DRAWS_PER_COUSIN", 3)
    recipe = parse_recipe("[distance]\nshape = 0\nswap = 0\nclutter = 0\n[layout]\nshift_m = 100\n")
    wrong = VaryRequest(scene=world / "scene", output=tmp_path / "pack", recipe=recipe, count=3)
    with pytest.raises(StageError, match="layout: no free place under the relations"):
        make_pack(wrong, run_in_process, store=Store(world / "store"), progress=ignore_progress)
    assert not (tmp_path / "pack" / "pack.json").exists()


def run_error(*words: str) -> dict[str, str]:
    output = io.StringIO()
    assert run([*words, "--json"], output) == 2
    error: dict[str, str] = json.loads(output.getvalue())["error"]
    return error


@pytest.mark.parametrize(
    ("words", "message", "expected"),
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
def test_invalid_arguments_are_errors_and_leave_no_files(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str, expected: str
) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    error = run_error("vary", str(world / "scene"), "-o", str(tmp_path / "pack"), *words)
    assert error["found"] == message
    assert error["expected"].startswith(expected)
    assert error["hint"]
    assert not (tmp_path / "pack").exists()


def test_a_folder_without_a_scene_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        error = run_error("vary", str(tmp_path / name), "-o", str(tmp_path / "pack"))
        assert error["found"] == f"no scene.json in {name!r}"
        assert "cousins scan" in error["expected"]
    assert not (tmp_path / "pack").exists()


def test_an_output_that_holds_something_else_is_left_alone(
    world: Path, pack_result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUSINS_STORE", str(tmp_path / "store"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    error = run_error("vary", str(world / "scene"), "-o", str(tmp_path / "mine"))
    assert error["found"] == f"something that is no pack at {str(tmp_path / 'mine')!r}"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    error = run_error("vary", str(world / "scene"), "-o", str(world / "pack"))
    assert error["found"] == f"a finished pack at {str(world / 'pack')!r}"
    assert open_folder(world / "pack").indices() == list(range(COUNT + 1))


def test_a_recipe_written_for_a_scene_reads_back_and_turns_off_what_it_has_not(world: Path, tmp_path: Path) -> None:
    output = io.StringIO()
    assert run(["recipe", "init", str(world / "scene"), "-o", str(tmp_path / "r.toml"), "--json"], output) == 0
    recipe = parse_recipe((tmp_path / "r.toml").read_text())
    assert recipe.distance == dict.fromkeys(AXES, 0.6) | {"joints": 0.0}
    error = run_error("recipe", "init", str(world / "scene"), "-o", str(tmp_path / "r.toml"))
    assert error["expected"] == "a new file"
