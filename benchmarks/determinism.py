"""One pack, made in many ways: each way is a run of `cousins vary` that should end in the same digest.

The ways differ in runner (local, Ray, Dask, Prefect), number of workers, PYTHONHASHSEED, time zone, locale, threads of
the numeric libraries, working folder and store: each has a store of its own, so that the library of proven shapes is
made anew too. The scene is `cousins demo`'s desk, scanned once.

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

COUSINS = Path(sys.executable).parent / "cousins"
WAYS: dict[str, tuple[list[str], dict[str, str]]] = {
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
"""By name: words of the command, and the environment that it runs in."""


def main() -> None:
    arguments = _parse()
    with tempfile.TemporaryDirectory(prefix="cousins-bench-") as place:
        result = measure(arguments, Path(place))
    print(json.dumps(result) if arguments.json else "\n".join(f"{key:10} {value}" for key, value in result.items()))


def measure(arguments: argparse.Namespace, place: Path) -> dict[str, Any]:
    count = 64 if arguments.quick else arguments.count
    scene = arguments.scene
    if scene is None:
        scene = place / "scene"
        _run(["demo", "-o", str(scene), "--no-policy", "--json"], place, {})
    rows: dict[str, dict[str, Any]] = {}
    for number, (name, (words, changed)) in enumerate(WAYS.items()):
        here = place / f"way {number}"
        here.mkdir()
        print(f"{name}: {count} cousins", file=sys.stderr)
        began = time.monotonic()
        told = _run(
            ["vary", str(scene.resolve()), "-n", str(count), "--seed", "5", "-o", "pack", "--json", *words],
            here,
            {**changed, "COUSINS_STORE": str(here / "store")},
        )
        rows[name] = {"digest": told["digest"], "seconds": round(time.monotonic() - began, 1)}
    digests = [row["digest"] for row in rows.values()]
    return {
        "cousins": count,
        "ways": len(digests),
        "alike": max(digests.count(digest) for digest in digests),
        "by_way": rows,
    }


def _run(words: list[str], here: Path, changed: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [str(COUSINS), *words], cwd=here, env={**os.environ, **changed}, stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 cousins")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--scene", type=Path, metavar="SCENE", help="a scene folder instead of the demo's")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
