"""Write rollouts as a folder in a format, whole or not at all, and count them on the way."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cousins.errors import InputError
from cousins.plugins import load
from sim.recording.rendering import Camera
from sim.recording.rollouts import About, Rollout

FORMATS: Final = "sim.recording.formats"


class Writer(Protocol):
    """Writes rollouts in one format."""

    def write(self, rollouts: Iterable[Rollout], about: About, folder: Path, *, cameras: Mapping[str, Camera]) -> None:
        """Write all rollouts into an empty folder, with what each camera sees of them; raises `InputError`."""
        ...


@dataclass(kw_only=True)
class Written:
    """What was written; all episodes are counted, those that broke too."""

    episodes: int = 0
    """Episodes that were tried."""
    steps: int = 0
    """Their steps."""
    successes: int = 0
    """Episodes that ended in success."""
    once: int = 0
    """Episodes with success at some step."""
    faults: int = 0
    """Episodes whose world broke."""
    not_begun: list[int] = field(default_factory=list)
    """Cousins of episodes that no engine began, among the faults; they have no steps."""


def writer_of(name: str) -> Writer:
    """Return the writer of a format; raises `UnknownNameError`."""
    module = load(FORMATS, name, kind="format")
    writer: Writer = module.build(module.Config())
    return writer


def require_new(output: Path) -> None:
    """Raise `InputError` where something is at `output` already."""
    if output.exists() or output.is_symlink():
        raise InputError(
            f"{os.fspath(output)!r}, which is there already",
            expected="a new path",
            hint="Choose another one, or remove it first; records are never mixed.",
        )


def write_rollouts(
    rollouts: Iterable[Rollout],
    about: About,
    output: Path,
    *,
    writer: Writer,
    cameras: Mapping[str, Camera] | None = None,
) -> Written:
    """Write rollouts to a new folder, which is there whole or not at all; raises `InputError`."""
    require_new(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    written = Written()
    part = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        writer.write(_counted(rollouts, written), about, part, cameras=cameras or {})
        part.chmod(0o755)
        part.rename(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return written


def _counted(rollouts: Iterable[Rollout], written: Written) -> Iterator[Rollout]:
    for rollout in rollouts:
        written.episodes += 1
        written.steps += rollout.steps
        written.successes += rollout.success_at_end
        written.once += rollout.success_once
        written.faults += bool(rollout.fault)
        if not rollout.steps:
            written.not_begun.append(rollout.cousin)
        yield rollout
