"""Exports spoilt at random: every reader reads or refuses, quickly, in little memory, with no errors but ours.

The exports are those that the law book of the readers writes (`tests/cousins/capture/exports.py`), three frames each,
and those of the two readers with tests of their own: a single frame, and Stray Scanner without its video. Photos and
films, which child processes decode, are spoilt by `hostile_photos.py`.
A mutation flips bytes, cuts, swaps, drops or replaces files, or puts something strange into JSON. What is told for
each kind: refused and read, the slowest, the 99th percentile, and the highest memory of the process so far.

    python benchmarks/robustness/hostile.py --quick
    python benchmarks/robustness/hostile.py --mutations 10000 --seed 7 --json
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from robustness.hostile_photos import hostile_photos  # noqa: E402

from cousins.capture.readers import find_reader  # noqa: E402
from cousins.errors import CaptureError, InputError  # noqa: E402
from tests.cousins.capture.exports import EXPORTS, export  # noqa: E402
from tests.cousins.capture.test_single_rgbd import single  # noqa: E402
from tests.cousins.capture.test_stray import silent  # noqa: E402

WHOLE: dict[str, Callable[[], dict[str, bytes]]] = {
    **{kind: partial(export, kind, count=3) for kind in EXPORTS},
    "single_rgbd": single,
    "stray": silent,
}
"""The good export of every kind."""
STRANGE: list[Any] = [None, True, -1, 0, 1e308, -1e308, 5e-324, 10**30, 2**63, "", "../../etc/passwd", "\0", [], {}]


class Memory:
    """An export in memory."""

    label = "memory"

    def __init__(self, files: dict[str, bytes]) -> None:
        """Keep the files."""
        self.files, self.names = files, frozenset(files)

    def read(self, name: str, *, most: int = 1 << 28) -> bytes:
        """Return one file."""
        if name not in self.files or len(self.files[name]) > most:
            raise CaptureError(f"no {name}", expected="it", hint="None.")
        return self.files[name]


def main() -> None:
    arguments = _parse()
    results = {}
    for number, kind in enumerate(sorted(WHOLE)):
        if arguments.kinds and kind not in arguments.kinds:
            continue
        rng = np.random.default_rng(np.random.SeedSequence(arguments.seed, spawn_key=(number,)))
        results[kind] = _measure(kind, arguments.mutations, rng)
        print(f"{kind:14s} {results[kind]}", file=sys.stderr if arguments.json else sys.stdout, flush=True)
    photos = {} if arguments.kinds else hostile_photos(arguments.mutations, arguments.seed)
    crashes = sum(result["other_errors"] for result in (*results.values(), *photos.values()))
    if arguments.json:
        worst = {key: max(result[key] for result in results.values()) for key in ("p99_s", "max_s", "peak_rss_mb")}
        counts = {"kinds": len(results), "mutations": arguments.mutations * len(results)}
        print(json.dumps({**counts, "other_errors": crashes, **worst, "by_kind": results, "photos": photos}))
    raise SystemExit(1 if crashes else 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=10_000, help="per kind of export")
    parser.add_argument("--quick", action="store_const", const=300, dest="mutations")
    parser.add_argument("--kinds", nargs="*", choices=sorted(WHOLE))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _measure(kind: str, mutations: int, rng: np.random.Generator) -> dict[str, Any]:
    whole = dict(WHOLE[kind]())
    seconds = np.zeros(mutations)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for index in range(mutations):
            folder = Path(scratch) / "capture"
            files = _mutated(whole, rng)
            began = time.process_time()
            try:
                reader, source = find_reader(Memory(files))
                reader.read(source, folder)
                outcomes["read"] += 1
            except InputError:
                outcomes["refused"] += 1
            except Exception as error:  # noqa: BLE001 - whatever else escapes is what is counted
                outcomes["other_errors"] += 1
                print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr)
            seconds[index] = time.process_time() - began
            shutil.rmtree(folder, ignore_errors=True)
    return {
        "read": outcomes["read"],
        "refused": outcomes["refused"],
        "other_errors": outcomes["other_errors"],
        "p99_s": round(float(np.percentile(seconds, 99)), 4),
        "max_s": round(float(seconds.max()), 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _mutated(whole: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    files = dict(whole)
    for _ in range(int(rng.integers(1, 3))):
        names = sorted(files)
        name, other = (names[int(rng.integers(len(names)))] for _ in range(2))
        deed = int(rng.integers(6))
        if deed == 0:
            files[name] = files[name][: int(rng.integers(0, len(files[name]) + 1))]
        elif deed == 1:
            files[name], files[other] = files[other], files[name]
        elif deed == 2 and len(files) > 1:
            del files[name]
        elif deed == 3 and files[name].startswith(b"{"):
            files[name] = _strange(files[name], rng)
        else:
            files[name] = _flipped(files[name], rng)
    return files


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if spoilt else 0):
        spoilt[int(rng.integers(len(spoilt)))] = int(rng.integers(256))
    return bytes(spoilt)


def _strange(data: bytes, rng: np.random.Generator) -> bytes:
    """Walk to a random place of JSON and put something strange there."""
    try:
        record = json.loads(data)
    except ValueError:
        return data
    value = record
    while isinstance(value, dict | list) and value:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(len(keys)))]
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            value[key] = STRANGE[int(rng.integers(len(STRANGE)))]
            break
        value = inner
    return json.dumps(record).encode()


if __name__ == "__main__":
    main()
