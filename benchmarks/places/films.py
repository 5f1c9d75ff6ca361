"""Films of scenes, kept in a folder so that an interrupted run goes on and a changed pipeline sees the same frames."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cousins.codec import decode, encode
from cousins.geometry import Intrinsics
from places import buildings, furnished, tabletops
from places.place import KINDS, Kind, Place
from places.recording import Recording, Sensor, record
from sim.synthetic.phone import Truth

SEED: Final = 15
"""Root of all randomness."""
FILM: Final = "film.bin"
"""File of a film's truth, written last."""
Builder = Callable[[int, np.random.Generator, Path], Place]
"""Builds scene `seed` of a kind with a generator and the folder of input files."""
BUILDERS: Final[Mapping[Kind, Builder]] = {
    "clutter": tabletops.clutter,
    "box": tabletops.box,
    "shelf": furnished.shelf,
    "kitchen": furnished.kitchen,
    "apartment": buildings.apartment,
    "corridor": buildings.corridor,
    "thin": tabletops.thin,
    "single": tabletops.single,
}
"""Builder of each kind."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Film:
    """A scene and the truth of its recording, without the recording itself."""

    place: Place
    """The scene."""
    truth: Truth
    """True masks, depth and camera poses."""
    sensor: Sensor
    """Camera."""
    depth_camera: Intrinsics
    """Camera of the true depth and masks."""
    export: str
    """Name of the folder that is scanned."""


def film(kind: Kind, seed: int, folder: Path, data: Path) -> tuple[Place, Recording]:
    """Return a scene and its recording: those that the folder holds, or new ones, which are then kept there."""
    path = folder / FILM
    if not path.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        build_seed, record_seed = np.random.SeedSequence(SEED, spawn_key=(KINDS.index(kind), seed)).spawn(2)
        place = BUILDERS[kind](seed, np.random.default_rng(build_seed), data)
        recording = record(place, folder, np.random.default_rng(record_seed))
        value = Film(
            place=place,
            truth=recording.truth,
            sensor=recording.sensor,
            depth_camera=recording.depth_camera,
            export=recording.export.name,
        )
        partial = path.with_suffix(".partial")
        partial.write_bytes(encode(value))
        partial.replace(path)
    read = decode(Film, path.read_bytes())
    return read.place, Recording(
        export=folder / read.export, truth=read.truth, sensor=read.sensor, depth_camera=read.depth_camera
    )
