"""Randomly corrupted exports: every reader reads or refuses, quickly, in little memory, with no errors but ours.

The exports are those that the conformance tests of the readers write (`tests/cousins/capture/exports.py`), three frames
each, and those of the two readers with tests of their own: a single frame, and Stray Scanner without its video. Photos
and films, which child processes decode, are corrupted by `hostile_photos.py`. A mutation flips bytes, cuts, swaps,
drops or replaces files, or puts an unexpected value into JSON. Reported for each kind: how many were refused and read,
the slowest, the 99th percentile, and the peak memory of the process so far.

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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.readers import find_reader
from cousins.errors import CaptureError, InputError
from program import program_parser
from robustness.hostile_photos import hostile_photos
from rows import Row, at_most, count_of, entry, is_zero, largest
from tests.cousins.capture.exports import EXPORTS, export
from tests.cousins.capture.test_single_rgbd import single
from tests.cousins.capture.test_stray import silent

GOOD_EXPORTS: dict[str, Callable[[], dict[str, bytes]]] = {
    **{kind: partial(export, kind, count=3) for kind in EXPORTS},
    "single_rgbd": single,
    "stray": silent,
}
"""The good export of every kind."""
STRANGE: list[Any] = [None, True, -1, 0, 1e308, -1e308, 5e-324, 10**30, 2**63, "", "../../etc/passwd", "\0", [], {}]
ROWS = (
    Row(
        quantity="spoilt exports that ended in an error not ours",
        bar="0",
        value=count_of("other_errors", "mutations"),
        met=is_zero,
    ),
    Row(quantity="kinds of export", value=entry("kinds")),
    Row(quantity="99th percentile, the slowest kind [CPU s]", bar="< 1", value=entry("p99_s"), met=at_most(1.0)),
    Row(quantity="the slowest of all [CPU s]", value=entry("max_s")),
    Row(quantity="peak memory [MB]", bar="< 1000", value=entry("peak_rss_mb"), met=at_most(1000.0), digits=0),
    Row(
        quantity="spoilt photos, films and exports of photos that ended in an error not ours",
        bar="0",
        value=lambda result: " of ".join(
            str(sum(kind[key] for kind in result["photos"].values())) for key in ("other_errors", "mutations")
        ),
        met=is_zero,
    ),
    Row(
        quantity="99th percentile, twenty spoilt photos or one film, their process included [CPU s]",
        bar="< 1",
        value=largest(*(entry("photos", kind, "p99_s") for kind in ("photos_jpeg", "photos_heic", "film"))),
        met=at_most(1.0),
    ),
    Row(
        quantity="peak memory of the processes that decode them and find places [MB]",
        bar="< 1000",
        value=lambda result: max(kind["peak_rss_mb"] for kind in result["photos"].values()),
        met=at_most(1000.0),
        digits=0,
    ),
)


class Memory:
    """An export in memory."""

    label = "memory"

    def __init__(self, files: dict[str, bytes]) -> None:
        """Keep the files."""
        self.files, self.names = files, frozenset(files)

    def read(self, name: str, *, max_bytes: int = 1 << 28) -> bytes:
        """Return one file."""
        if name not in self.files or len(self.files[name]) > max_bytes:
            raise CaptureError(f"no {name}", expected="it", hint="None.")
        return self.files[name]


def main() -> None:
    parser = program_parser(__doc__, seed=0)
    parser.add_argument("--mutations", type=int, default=10_000, help="per kind of export")
    parser.add_argument("--quick", action="store_const", const=300, dest="mutations", help="300 mutations of each kind")
    parser.add_argument("--kinds", nargs="*", choices=sorted(GOOD_EXPORTS))
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result))
    raise SystemExit(1 if result["other_errors"] else 0)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    results = {}
    for number, kind in enumerate(sorted(GOOD_EXPORTS)):
        if arguments.kinds and kind not in arguments.kinds:
            continue
        rng = np.random.default_rng(np.random.SeedSequence(arguments.seed, spawn_key=(number,)))
        results[kind] = _measure(kind, arguments.mutations, rng)
        print(f"{kind:14s} {results[kind]}", file=sys.stderr if arguments.json else sys.stdout, flush=True)
    photos = {} if arguments.kinds else hostile_photos(arguments.mutations, arguments.seed)
    worst = {key: max(result[key] for result in results.values()) for key in ("p99_s", "max_s", "peak_rss_mb")}
    return {
        "kinds": len(results),
        "mutations": arguments.mutations * len(results),
        "other_errors": sum(result["other_errors"] for result in (*results.values(), *photos.values())),
        **worst,
        "by_kind": results,
        "photos": photos,
    }


def _measure(kind: str, mutations: int, rng: np.random.Generator) -> dict[str, Any]:
    good_export = dict(GOOD_EXPORTS[kind]())
    seconds = np.zeros(mutations)
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for index in range(mutations):
            folder = Path(scratch) / "capture"
            files = _mutated(good_export, rng)
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


def _mutated(good_export: dict[str, bytes], rng: np.random.Generator) -> dict[str, bytes]:
    files = dict(good_export)
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
