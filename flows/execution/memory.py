"""How much memory a job takes: the largest sum over its processes, looked at several times a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

PERIOD_S = 0.2
"""Time between two looks [s]."""


@dataclass(eq=False)
class Peak:
    """The largest resident memory seen so far."""

    rss_bytes: int = 0
    """Sum over the process and its children; shared pages count once for each [bytes]."""

    def look(self) -> None:
        """Measure now."""
        process_itself = psutil.Process()
        total = 0
        for process in [process_itself, *process_itself.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        self.rss_bytes = max(self.rss_bytes, total)


@contextmanager
def watched_memory() -> Iterator[Peak]:
    """Watch the memory of this process and its children until the end of the block."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(PERIOD_S):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        peak.look()
