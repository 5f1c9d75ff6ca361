"""Progress for people, on standard error: a live bar on a terminal, a line a stage elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.execution.executor import Reference, Stage, Tell

STEPS = ("ingest", "quality", "refine", "segment", "reconstruct", "assemble", "settle", "write", "gate", "pictures")
"""Stages of a scan by name, in order."""


@contextmanager
def told_stages() -> Iterator[Tell]:
    """Give a function that hears of every stage and shows it."""
    if not sys.stderr.isatty():
        yield _line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=len(STEPS))
        seen: set[str] = set()

        def tell(stage: Stage, reference: Reference | None) -> None:
            if reference is None:
                bar.update(task, description=stage.name)
                return
            seen.add(stage.name)
            bar.update(task, completed=len(seen & set(STEPS)))
            bar.console.print(_text(reference), highlight=False)

        yield tell


def _line(stage: Stage, reference: Reference | None) -> None:  # noqa: ARG001
    if reference is not None:
        sys.stderr.write(_text(reference) + "\n")
        sys.stderr.flush()


def _text(reference: Reference) -> str:
    return f"  {reference.stage:<12} " + ("reused" if reference.reused else f"{reference.seconds:6.1f} s")
