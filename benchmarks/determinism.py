"""One pack, made with many settings: each is a run of `cousins vary` that should end in the same digest.

The settings differ in runner (local, Ray, Dask, Prefect), number of workers, PYTHONHASHSEED, time zone, locale, threads
of the numeric libraries, working folder and store: each has a store of its own, so that the library of proven shapes is
rebuilt too. The scene is `cousins demo`'s desk, scanned once.

    python benchmarks/determinism.py --quick --json
    python benchmarks/determinism.py --count 1000 --scene my-scene --json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from program import program_parser, run_program
from rows import Row

COUSINS = Path(sys.executable).parent / "cousins"
VARIATIONS: dict[str, tuple[list[str], dict[str, str]]] = {
    "local": ([], {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C"}),
    "local, one worker": (
        ["--workers", "1"],
        {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Kiritimati", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2"},
    ),
    "ray": (["--runner", "ray"], {"PYTHONHASHSEED": "7", "TZ": "America/St_Johns", "OMP_NUM_THREADS": "1"}),
    "dask": (
        ["--runner", "dask"],
        {"PYTHONHASHSEED": "99", "TZ": "Asia/Kathmandu", "LC_ALL": "POSIX", "NUMBA_NUM_THREADS": "1"},
    ),
    "prefect": (["--runner", "prefect", "--workers", "1"], {"PYTHONHASHSEED": "random", "OPENBLAS_NUM_THREADS": "2"}),
}
"""By name: more arguments of the command, and environment variables."""
ROWS = (
    Row(
        quantity="ways to make a pack that give one digest",
        bar="all, of 1,000 cousins",
        value=lambda result: "{alike} of {ways}, {cousins} cousins".format(**result),
        met=lambda value: value in {f"{count} of {count}, 1000 cousins" for count in range(2, 20)},
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="64 cousins")
    parser.add_argument("--count", type=int, default=1000, help="cousins of the pack (1000)")
    parser.add_argument("--scene", type=Path, metavar="SCENE", help="a scene folder instead of the demo's")
    run_program(parser, _measure_in_scratch)


def _measure_in_scratch(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cousins-bench-") as scratch:
        return measure(arguments, Path(scratch))


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    count = 64 if arguments.quick else arguments.count
    scene = arguments.scene
    if scene is None:
        scene = scratch / "scene"
        _run(["demo", "-o", str(scene), "--no-policy", "--json"], scratch, {})
    rows: dict[str, dict[str, Any]] = {}
    for number, (name, (options, environment)) in enumerate(VARIATIONS.items()):
        folder = scratch / f"way {number}"
        folder.mkdir()
        print(f"{name}: {count} cousins", file=sys.stderr)
        began = time.monotonic()
        result = _run(
            ["vary", str(scene.resolve()), "-n", str(count), "--seed", "5", "-o", "pack", "--json", *options],
            folder,
            {**environment, "COUSINS_STORE": str(folder / "store")},
        )
        rows[name] = {"digest": result["digest"], "seconds": round(time.monotonic() - began, 1)}
    digests = [row["digest"] for row in rows.values()]
    return {
        "cousins": count,
        "ways": len(digests),
        "alike": max(digests.count(digest) for digest in digests),
        "by_way": rows,
    }


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    process = subprocess.run(
        [str(COUSINS), *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(process.stdout)
    return result


if __name__ == "__main__":
    main()
