"""A second process that runs some of the stages, started when the first result must be computed.

The two processes exchange JSON lines: stage name and inputs there, reference back. Values travel through the store.
The worker ends with this process, also in the middle of a stage, and when its input ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import numba

from cousins.child_processes import bound_command
from cousins.importers.recognition import ScanInput
from flows.execution.executor import StageExecutor
from flows.execution.stage import Reference, Stage, StageCall

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value of JSON."""
T = TypeVar("T")


@dataclass(eq=False)
class LocalRunner:
    """Runs stages in this process and one other; the results do not depend on which process ran what."""

    executor: StageExecutor
    """Runs what stays in this process."""
    _worker: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the other process, so that its imports are done when it is needed; repeated calls do nothing."""
        if self._worker is None:
            command = bound_command([sys.executable, "-m", "flows.execution.worker"])
            self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._write({"store": str(self.executor.store.root), "options": asdict(self.executor.options)})

    def run(self, call: StageCall[T]) -> Reference[T]:
        """Run one stage in this process."""
        return self.executor.run(call)

    def run_all(self, name: str, calls: Sequence[StageCall[T]]) -> tuple[Reference[T], ...]:  # noqa: ARG002
        """Run calls that do not need each other: whichever process is free takes the next.

        Put the longest first. A call that fails in the other process is repeated here, where its error is raised.
        """
        waiting = deque(range(len(calls)))
        results: dict[int, Reference[T]] = {}
        if self._worker is not None and len(calls) > 1:
            thread = threading.Thread(target=self._serve, args=(calls, waiting, results), daemon=True)
            thread.start()
            with half_the_threads():
                for index in iter(lambda: _next(waiting), None):
                    results[index] = self.executor.run(calls[index])
            thread.join()
        for index in range(len(calls)):
            if index not in results:
                results[index] = self.executor.run(calls[index])
        return tuple(results[index] for index in range(len(calls)))

    def close(self) -> None:
        """End the other process."""
        if self._worker is not None:
            self._worker.terminate()
            self._worker.wait()
            for stream in (self._worker.stdin, self._worker.stdout):
                if stream is not None:
                    stream.close()
            self._worker = None

    def _serve(self, calls: Sequence[StageCall[T]], waiting: deque[int], results: dict[int, Reference[T]]) -> None:
        """Hand calls to the other process one by one, for as long as there are any and it answers."""
        for index in iter(lambda: _next(waiting), None):
            answer = self._ask(call_to_json(calls[index]))
            if answer is None:
                return
            if "reference" in answer:
                results[index] = reference_from_json(calls[index].stage, answer["reference"])
                self.executor.progress(calls[index].stage, results[index])

    def _ask(self, question: Mapping[str, object]) -> dict[str, dict[str, Json]] | None:
        """Return the answer; None where the other process is gone."""
        try:
            self._write(question)
        except BrokenPipeError:
            return None
        line = self._worker.stdout.readline() if self._worker is not None and self._worker.stdout is not None else ""
        return dict(json.loads(line)) if line else None

    def _write(self, message: Mapping[str, object]) -> None:
        if self._worker is not None and self._worker.stdin is not None:
            self._worker.stdin.write(json.dumps(message) + "\n")
            self._worker.stdin.flush()


@contextmanager
def half_the_threads() -> Iterator[None]:
    """Leave the other half of the cores to the other process: threads that wait for a busy core spin."""
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


def call_to_json(call: StageCall[T]) -> dict[str, object]:
    """Return a call as JSON; its inputs are references, texts and whole numbers by name."""
    assert not call.inputs, "calls for another process name their inputs"
    return {"stage": call.stage.name, "inputs": {name: _input_to_json(item) for name, item in call.named.items()}}


def call_from_json(message: Mapping[str, object], stages: Mapping[str, Stage[..., object]]) -> StageCall[object]:
    """Return the call that `call_to_json` wrote."""
    inputs = message["inputs"]
    assert isinstance(inputs, dict), "a message of our own"
    named = {str(name): _input_from_json(item, stages) for name, item in inputs.items()}
    return StageCall(stage=stages[str(message["stage"])], named=named)


def reference_to_json(reference: Reference[object]) -> dict[str, object]:
    """Return a reference as JSON, its stage by name."""
    return {
        "stage": reference.stage.name,
        "digest": reference.digest,
        "started": reference.started,
        "ended": reference.ended,
        "reused": reference.reused,
    }


def reference_from_json(stage: Stage[..., T], message: Mapping[str, Json]) -> Reference[T]:
    """Return the reference that `reference_to_json` wrote, as a result of `stage`."""
    digest, started, ended = message["digest"], message["started"], message["ended"]
    assert isinstance(digest, str), "a message of our own"
    assert isinstance(started, float), "a message of our own"
    assert isinstance(ended, float), "a message of our own"
    return Reference(stage=stage, digest=digest, started=started, ended=ended, reused=bool(message["reused"]))


def _input_to_json(item: object) -> object:
    if isinstance(item, Reference):
        return {"reference": reference_to_json(item)}
    if isinstance(item, tuple):
        return [_input_to_json(part) for part in item]
    if isinstance(item, ScanInput):
        return {"input": {"path": str(item.path), "digest": item.digest, "kind": item.kind}}
    assert isinstance(item, str | int), f"{type(item).__name__} cannot be sent to another process"
    return item


def _input_from_json(item: object, stages: Mapping[str, Stage[..., object]]) -> object:
    if isinstance(item, dict) and "input" in item:
        fields = item["input"]
        return ScanInput(path=Path(fields["path"]), digest=fields["digest"], kind=fields["kind"])
    if isinstance(item, dict):
        message = item["reference"]
        return reference_from_json(stages[message["stage"]], message)
    if isinstance(item, list):
        return tuple(_input_from_json(part, stages) for part in item)
    return item
