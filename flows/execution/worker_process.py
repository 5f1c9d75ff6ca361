"""A second process that takes some of the work, started when the first real work begins.

The two talk in JSON lines: stage name and inputs there, reference back. Values travel through the store. The worker
ends when its input ends, so none is left behind when this process is killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numba

from flows.execution.executor import Desk, Reference, Stage

Call = tuple[Stage, dict[str, Any]]
"""A stage and its inputs by name: references, texts and whole numbers."""


@dataclass(eq=False)
class Partner:
    """Shares calls between this process and one other; the results do not depend on who did what."""

    desk: Desk
    """Carries out what stays here."""
    _worker: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the other process, so that its imports are done when it is needed; once is enough."""
        if self._worker is None:
            command = [sys.executable, "-m", "flows.execution.worker"]
            self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._write({"store": str(self.desk.store.root), "options": asdict(self.desk.options)})

    def share(self, calls: Sequence[Call]) -> tuple[Reference, ...]:
        """Carry out calls that do not need each other: whichever process is free takes the next.

        Put the longest first. What the other process cannot do is done here, where its error is raised.
        """
        waiting = deque(range(len(calls)))
        done: dict[int, Reference] = {}
        if self._worker is not None and len(calls) > 1:
            thread = threading.Thread(target=self._serve, args=(calls, waiting, done), daemon=True)
            thread.start()
            with half_the_threads():
                for index in iter(lambda: _next(waiting), None):
                    self._do_here(calls, index, done)
            thread.join()
        for index in range(len(calls)):
            if index not in done:
                self._do_here(calls, index, done)
        return tuple(done[index] for index in range(len(calls)))

    def close(self) -> None:
        """End the other process."""
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait()
            for stream in (self._worker.stdin, self._worker.stdout):
                if stream is not None:
                    stream.close()
            self._worker = None

    def _do_here(self, calls: Sequence[Call], index: int, done: dict[int, Reference]) -> None:
        stage, inputs = calls[index]
        done[index] = self.desk.carry_out(stage, **inputs)

    def _serve(self, calls: Sequence[Call], waiting: deque[int], done: dict[int, Reference]) -> None:
        """Hand calls to the other process one by one, for as long as there are any and it answers."""
        for index in iter(lambda: _next(waiting), None):
            stage, inputs = calls[index]
            answer = self._ask({"stage": stage.name, "inputs": {name: packed(value) for name, value in inputs.items()}})
            if answer is None:
                return
            if "reference" in answer:
                done[index] = Reference(**answer["reference"])
                self.desk.tell(stage, done[index])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer; None where the other process is gone."""
        try:
            self._write(question)
        except BrokenPipeError:
            return None
        line = self._worker.stdout.readline() if self._worker is not None and self._worker.stdout is not None else ""
        return dict(json.loads(line)) if line else None

    def _write(self, message: dict[str, Any]) -> None:
        if self._worker is not None and self._worker.stdin is not None:
            self._worker.stdin.write(json.dumps(message) + "\n")
            self._worker.stdin.flush()


@contextmanager
def half_the_threads() -> Iterator[None]:
    """Leave the other half of the cores to the other process: threads that wait for a core that is taken spin."""
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _next(waiting: deque[int]) -> int | None:
    """Return the next number; None where both processes have taken all."""
    try:
        return waiting.popleft()
    except IndexError:
        return None


def packed(value: Any) -> Any:
    """Return an input as JSON."""
    return {"reference": asdict(value)} if isinstance(value, Reference) else value


def unpacked(value: Any) -> Any:
    """Return an input of `packed`."""
    return Reference(**value["reference"]) if isinstance(value, dict) else value
