"""Randomly corrupted photos and films through the child processes that decode them, and whole exports of photos.

Photos (JPEG with metadata, HEIC) go to the decoder twenty at a time, as those of an export do: a time is that of the
process and all twenty. A film is decoded alone. An export of seven photos goes through the whole reader, places and
depth included; its time depends on valid input too and is held against no bar. `hostile.py` runs this too.

    python benchmarks/robustness/hostile_photos.py --mutations 400 --json
"""

from __future__ import annotations

import io
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.backends.photos import Config, PhotosReader
from cousins.capture.decoders.archives import open_export
from cousins.errors import CaptureError, InputError
from cousins.photos.film import extract_keyframes
from cousins.photos.pictures import Picture, decode_photos
from cousins.stereo.depth import StereoConfig
from program import program_parser, run_program
from tests.cousins.photos.corner import jpeg, photograph, poses
from tests.cousins.photos.test_film import film, moving
from tests.cousins.photos.test_pictures import photo

TOGETHER = 20
"""Photos that are decoded by one process."""
PER_FILM, PER_EXPORT = 20, 400
"""Spoilt photos for each spoilt film and for each spoilt export: these take longer."""


def main() -> None:
    parser = program_parser(__doc__, seed=0)
    parser.add_argument("--mutations", type=int, default=10_000, help="photos of each kind")
    run_program(parser, lambda arguments: hostile_photos(arguments.mutations, arguments.seed))


def hostile_photos(mutations: int, seed: int) -> dict[str, dict[str, Any]]:
    """Return what became of spoilt photos, films and exports, by kind."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1000,)))
    export = [jpeg(photograph(pose)) for pose in poses(7)]
    good_film = film(moving(20), [20 * number for number in range(20)])
    kinds: dict[str, tuple[int, int, Callable[[], tuple[int, int]]]] = {
        "photos_jpeg": (TOGETHER, 1, lambda: _decoded(photo(focal_35=26), rng)),
        "photos_heic": (TOGETHER, 1, lambda: _decoded(_heic(), rng)),
        "film": (1, PER_FILM, lambda: _watched(_spoilt(good_film, rng))),
        "photos_export": (1, PER_EXPORT, lambda: _read(list(export), rng)),
    }
    results = {}
    for kind, (together, per, try_once) in kinds.items():
        results[kind] = _measure(kind, max(1, mutations // per // together), together, try_once)
        print(f"{kind:14s} {results[kind]}", file=sys.stderr, flush=True)
    return results


def _measure(kind: str, count: int, together: int, try_once: Callable[[], tuple[int, int]]) -> dict[str, Any]:
    seconds = np.zeros(count)
    outcomes: Counter[str] = Counter()
    for index in range(count):
        began = _cpu_s()
        try:
            read, refused = try_once()
            outcomes.update({"read": read, "refused": refused})
        except Exception as error:  # noqa: BLE001 - whatever else escapes is what is counted
            outcomes["other_errors"] += 1
            print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr)
        seconds[index] = _cpu_s() - began
    return {
        "mutations": count * together,
        **{outcome: outcomes[outcome] for outcome in ("read", "refused", "other_errors")},
        "p99_s": round(float(np.percentile(seconds, 99)), 4),
        "max_s": round(float(seconds.max()), 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def _cpu_s() -> float:
    """Return the CPU seconds of this process and of all that it started and that have ended."""
    spent = [resource.getrusage(processes) for processes in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _decoded(good: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Return how many of a process's photos, each spoilt, are read and how many refused."""
    outcomes = decode_photos([_spoilt(good, rng) for _ in range(TOGETHER)])
    assert len(outcomes) == TOGETHER
    assert all(isinstance(outcome, Picture | CaptureError) for outcome in outcomes)
    read = sum(isinstance(outcome, Picture) for outcome in outcomes)
    return read, TOGETHER - read


def _watched(data: bytes) -> tuple[int, int]:
    try:
        extract_keyframes(data, max_count=12)
    except InputError:
        return 0, 1
    return 1, 0


def _read(photos: list[bytes], rng: np.random.Generator) -> tuple[int, int]:
    """Spoil some photos of an export, swap or drop one, and read it."""
    for number in rng.choice(len(photos), size=int(rng.integers(1, 4)), replace=False):
        photos[number] = _spoilt(photos[number], rng)
    if rng.random() < 0.3:
        del photos[int(rng.integers(len(photos)))]
    reader = PhotosReader(Config(stereo=StereoConfig(long_side=96, views=4, fine_sweeps=2, agreeing_sweeps=1)))
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "in").mkdir()
        for number, data in enumerate(photos):
            (folder / "in" / f"{number}.jpg").write_bytes(data)
        with open_export(folder / "in") as source:
            reader.read(source, folder / "capture")
    except InputError:
        return 0, 1
    finally:
        shutil.rmtree(folder)
    return 1, 0


def _spoilt(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip bytes, in the head as often as anywhere, or cut, or repeat a piece."""
    deed = int(rng.integers(5))
    if deed == 0:
        return data[: int(rng.integers(len(data)))]
    if deed == 1:
        first, last = sorted(int(place) for place in rng.integers(len(data), size=2))
        return data[:last] + data[first:]
    spoilt = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        spoilt[int(rng.integers(len(data) if deed == 2 else min(len(data), 600)))] = int(rng.integers(256))
    return bytes(spoilt)


def _heic() -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(photo(focal_35=26))) as image:
        pillow_heif.from_pillow(image).save(buffer, quality=80)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
