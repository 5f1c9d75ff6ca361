"""Ray and Dask make the same pack as processes of this machine do, also when a worker is killed."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from cousins.store import Store
from cousins.vary.recipes import parse_recipe
from flows.pipeline.make_pack import BlockJob, VaryRequest, make_block, make_pack
from tests.flows.tiny_for_tests import COUNT, RECIPE, finished, started, vary_words, write_tiny

WORKERS = {"ray": "ray::blocks", "dask": "spawn_main"}


def run_in_process(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
    return (make_block(job, number) for number in numbers)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clusters")
    write_tiny(folder)
    return folder


@pytest.fixture(scope="module")
def pack_result(world: Path) -> dict[str, Any]:
    request = VaryRequest(scene=world / "scene", output=world / "pack", recipe=parse_recipe(RECIPE), count=COUNT)
    return make_pack(request, run_in_process, store=Store(world / "store"), progress=lambda *_: None)


def kill_a_busy_worker(process: subprocess.Popen[str], words: str) -> bool:
    """Kill -9 the first worker that has worked for a while; return whether there was one before the run ended."""
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                busy = words in " ".join([child.name(), *child.cmdline()]) and child.cpu_times().user > 4.0
            except psutil.Error:
                continue
            if busy:
                child.kill()
                return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "runner", [pytest.param("ray", marks=pytest.mark.ray), pytest.param("dask", marks=pytest.mark.dask)]
)
@pytest.mark.slow
def test_a_cluster_makes_the_same_pack_also_when_a_worker_is_killed(
    world: Path, pack_result: dict[str, Any], tmp_path: Path, runner: str
) -> None:
    if importlib.util.find_spec(f"prefect_{runner}") is None:
        pytest.skip(f"the extra `{runner}` is not installed")
    process = started(
        vary_words(world / "scene", tmp_path / "pack", "--runner", runner),
        world / "store",
        PREFECT_HOME=str(tmp_path / "prefect"),
        RAY_AUTH_MODE="disabled",
    )
    killed = kill_a_busy_worker(process, WORKERS[runner])
    result = finished(process)
    assert killed
    assert result["digest"] == pack_result["digest"]
