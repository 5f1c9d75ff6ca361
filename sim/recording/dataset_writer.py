"""Write rollouts as a folder in a format, whole or not at all, and count them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cousins.disk_errors import require_room
from cousins.errors import InputError
from cousins.plugins import load_backend
from cousins.publishing import move_new, staging_folder
from sim.recording.rendering import Camera
from sim.recording.rollouts import Rollout, RunMetadata

FORMATS_PACKAGE: Final = "sim.recording.formats"


class RolloutWriter(Protocol):
    """Writes rollouts in one file format."""

    def write(
        self, rollouts: Iterable[Rollout], metadata: RunMetadata, folder: Path, *, cameras: Mapping[str, Camera]
    ) -> None:
        """Write all rollouts into an empty folder, with the images of each camera; raises `InputError`."""
        ...


@dataclass(kw_only=True)
class RecordingCounts:
    """Counts of the written episodes, including those whose world broke."""

    episodes: int = 0
    """Number of episodes."""
    steps: int = 0
    """Number of steps of all episodes."""
    successes: int = 0
    """Number of episodes that ended in success."""
    once: int = 0
    """Number of episodes with success at any step."""
    faults: int = 0
    """Number of episodes whose world broke."""
    not_begun: list[int] = field(default_factory=list)
    """Cousins of episodes that the engine failed to begin, which are among the faults and have no steps."""


def make_writer(name: str) -> RolloutWriter:
    """Return the writer of a format; raises `UnknownNameError`."""
    module = load_backend(FORMATS_PACKAGE, name, kind="format")
    writer: RolloutWriter = module.build(module.Config())
    return writer


def require_new_path(output: Path) -> None:
    """Raise `InputError` where the path `output` exists already."""
    if output.exists() or output.is_symlink():
        raise InputError(
            f"{os.fspath(output)!r}, which is there already",
            expected="a new path",
            hint="Choose another one, or remove it first; records are never mixed.",
        )


def write_rollouts(
    rollouts: Iterable[Rollout],
    metadata: RunMetadata,
    output: Path,
    *,
    writer: RolloutWriter,
    cameras: Mapping[str, Camera] | None = None,
) -> RecordingCounts:
    """Write rollouts to a new folder, which is written whole or not at all; raises `InputError`."""
    require_new_path(output)
    require_room(output)
    counts = RecordingCounts()
    with staging_folder(output.parent) as staging:
        partial_folder = staging / "records"
        partial_folder.mkdir()
        writer.write(_counting(rollouts, counts), metadata, partial_folder, cameras=cameras or {})
        move_new(partial_folder, output)
    return counts


def _counting(rollouts: Iterable[Rollout], counts: RecordingCounts) -> Iterator[Rollout]:
    for rollout in rollouts:
        counts.episodes += 1
        counts.steps += rollout.steps
        counts.successes += rollout.success_at_end
        counts.once += rollout.success_once
        counts.faults += bool(rollout.fault)
        if not rollout.steps:
            counts.not_begun.append(rollout.cousin)
        yield rollout
