"""The parent's side of a simulating child: a world that crashes, hangs or leaks harms nothing else."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import cousins
from cousins.child_processes import bound_command
from cousins.errors import EngineError, InputError

WORKER: Final = "sim.regress.worker"
STALL_S: Final = 300.0
"""Longest time on the wall clock without a reply, after which the child is killed [s]."""
SHOWN_LOG_CHARACTERS: Final = 300
"""Length of the end of the child's log in the description of a crash [characters]."""
_READ_BYTES: Final = 1 << 16


class SimulatorProcess:
    """A fresh process that simulates; a context that ends it."""

    def __init__(self, *, engine: str, stall_s: float = STALL_S, first_paths: Sequence[Path] = ()) -> None:
        """`first_paths` are folders in which the process looks for modules before all others."""
        self.engine, self._stall_s, self._first_paths = engine, stall_s, first_paths
        self.cpu_s = 0.0
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by the context
        self._pending = b""
        self._started: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
        if self._started is None:
            return
        self._started.kill()
        self._started.wait()
        for pipe in (self._started.stdin, self._started.stdout):
            if pipe is not None:
                _close(pipe)

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        """The process, started when it is first needed: its imports take some seconds."""
        if self._started is None:
            self._started = subprocess.Popen(
                bound_command([sys.executable, "-P", "-m", WORKER]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=_environment(self._first_paths),
            )
        return self._started

    def ask(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the replies to a request.

        Raises `InputError` for what the user can mend, `EngineError` where the process dies or no longer replies.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._crash() from error
        while True:
            reply: dict[str, Any] = json.loads(self._line())
            self.cpu_s = float(reply.get("cpu_s", self.cpu_s))
            if "error" in reply:
                problem = reply["error"]
                raise InputError(problem["found"], expected=problem["expected"], hint=problem["hint"])
            if "done" in reply:
                return
            yield reply

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(self._stall_s):
                    self._process.kill()
                    raise EngineError(f"no reply for {self._stall_s:.0f} s", engine=self.engine)
                chunk = os.read(self._process.stdout.fileno(), _READ_BYTES)
                if not chunk:
                    raise self._crash()
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _crash(self) -> EngineError:
        code = self._process.wait()
        self._log.seek(0)
        log = self._log.read().decode("utf-8", "replace").strip()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return EngineError(f"{how}; its log ends: {log[-SHOWN_LOG_CHARACTERS:]}", engine=self.engine)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def _environment(first_paths: Sequence[Path]) -> dict[str, str]:
    """Return the environment in which the child finds the same packages, with one thread for each library."""
    root = os.fspath(Path(cousins.__file__).parents[1])
    paths = [*map(os.fspath, first_paths), root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))} | threads
