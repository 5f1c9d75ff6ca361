"""Progress on standard error for people, and as JSON lines on a file descriptor for programs.

A line is an object with `stage` and `event` (`begun`, `progress` or `ended`). `ended` adds `seconds`, `digest` and
`reused`; `progress` adds `done` and `total`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cousins.errors import InputError
from flows.execution.stage import ProgressCallback, Reference, Stage

STAGE_NAMES = (
    "ingest",
    "quality",
    "refine",
    "segment",
    "reconstruct",
    "fuse",
    "fragments",
    "assemble",
    "settle",
    "write",
    "gate",
    "fidelity",
    "pictures",
)
"""Stages of a scan that a bar counts; a test compares them with the pipeline's."""

T = TypeVar("T")
CountCallback = Callable[[str, int, int], None]
"""Receives the name of a job, how many of its parts are done, and of how many."""


class ProgressLines:
    """Writes progress to a file descriptor, one JSON object a line; a reader that goes away ends nothing."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._started: dict[str, float] = {}

    def stage(self, stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
        """Write the start or the end of a stage."""
        if reference is None:
            self.write(stage.name, "begun")
            return
        self.write(
            stage.name,
            "ended",
            seconds=round(reference.seconds, 3),
            digest=reference.digest,
            reused=reference.reused,
        )

    def count(self, name: str, done: int, total: int) -> None:
        """Write how far a counted job is, with its start before the first and its end after the last line."""
        if name not in self._started:
            self._started[name] = time.monotonic()
            self.write(name, "begun")
        self.write(name, "progress", done=done, total=total)
        if done >= total:
            seconds = round(time.monotonic() - self._started.pop(name), 3)
            self.write(name, "ended", seconds=seconds, digest=None, reused=False)

    def write(self, stage: str, event: str, **fields: str | float | None) -> None:
        """Write one line."""
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps({"stage": stage, "event": event, **fields}) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._stream = None


@contextmanager
def progress_lines(descriptor: int | None) -> Iterator[ProgressLines]:
    """Give a writer to an open file descriptor, which stays open; None writes nothing. Raises `InputError`."""
    if descriptor is None:
        yield ProgressLines(None)
        return
    try:
        own_descriptor = os.dup(descriptor)
        stream = os.fdopen(own_descriptor, "w", encoding="utf-8")
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"--progress-fd {descriptor}, which is not open for writing ({error})",
            expected="the number of an open file descriptor",
            hint="Open it first, for example `--progress-fd 3 3>progress.jsonl`.",
        ) from error
    lines = ProgressLines(stream)
    try:
        yield lines
    finally:
        with suppress(BrokenPipeError):
            stream.close()


@contextmanager
def stage_progress(descriptor: int | None = None) -> Iterator[ProgressCallback]:
    """Give a callback that shows every stage on standard error and writes it to a file descriptor, if any."""
    with ExitStack() as stack:
        lines = stack.enter_context(progress_lines(descriptor))
        show = stack.enter_context(_shown_stages())

        def report(stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
            show(stage, reference)
            lines.stage(stage, reference)

        yield report


@contextmanager
def count_progress(descriptor: int | None, show: CountCallback) -> Iterator[CountCallback]:
    """Give a callback that calls `show` and writes counts to a file descriptor, if any."""
    with progress_lines(descriptor) as lines:

        def report(name: str, done: int, total: int) -> None:
            show(name, done, total)
            lines.count(name, done, total)

        yield report


def counted(items: Iterable[T], name: str, total: int, report: CountCallback) -> Iterator[T]:
    """Yield the `total` items of a job and report each as done when the next one is asked for."""
    report(name, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        report(name, done, total)


@contextmanager
def _shown_stages() -> Iterator[ProgressCallback]:
    """Give a callback that shows stages: a live bar on a terminal, a line a stage elsewhere."""
    if not sys.stderr.isatty():
        yield _print_line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=len(STAGE_NAMES))
        ended: set[str] = set()

        def show(stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
            if reference is None:
                bar.update(task, description=stage.name)
                return
            ended.add(stage.name)
            bar.update(task, completed=len(ended & set(STAGE_NAMES)))
            bar.console.print(_line(reference), highlight=False)

        yield show


def _print_line(stage: Stage[..., object], reference: Reference[object] | None, /) -> None:  # noqa: ARG001
    if reference is not None:
        sys.stderr.write(_line(reference) + "\n")
        sys.stderr.flush()


def _line(reference: Reference[object]) -> str:
    return f"  {reference.stage.name:<12} " + ("reused" if reference.reused else f"{reference.seconds:6.1f} s")
