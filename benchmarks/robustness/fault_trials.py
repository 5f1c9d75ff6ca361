"""One trial of `faults.py`: a command line in a forked process with a fault at its k-th write point."""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

SHIM: Final = Path(__file__).with_name("write_faults.c")
KINDS: Final = {"no fault": 0, "ENOSPC": 1, "EIO": 2, "short write": 3, "kill": 4}
"""Faults by name, as the shim numbers them."""
_STRUCT: Final = struct.Struct("4q480s")
_PR_SET_CHILD_SUBREAPER: Final = 36
ORPHAN_S: Final = 5.0
"""Time after which no process of a killed command may live [s]."""
INNER: Final = ("store/values", "store/stages", "store/locks", "policy/logs", "tmp")
"""Folders whose content differs between good runs, or that the supervisor of a command removes."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A command under test; paths are below the folder of a trial."""

    words: tuple[str, ...]
    """Command line; `{inputs}` and `{trial}` stand for the folders."""
    output: str
    """What it makes."""
    digest: Callable[[Path], str]
    """Returns the digest of a finished output; raises or returns "" for anything else."""
    again: Callable[[Path], tuple[str, ...]] = lambda _: ()
    """Words to add where the command is repeated."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a command ended."""

    code: int
    """Exit code; negative for a signal."""
    text: str
    """What it printed on standard output."""
    log: str
    """What it printed on standard error."""
    points: int
    """Write points that were reached."""
    seconds: float
    """Wall time [s]."""


class Bench:
    """The folders of all trials, and the memory that the shim shares."""

    def __init__(self, root: Path) -> None:
        self.inputs, self.trial, self.template = root / "inputs", root / "trial", root / "template"
        self.inputs.mkdir(exist_ok=True)
        (self.template / "store").mkdir(parents=True, exist_ok=True)
        self._log = root / "log"
        with Path(os.environ["FAULTS_FILE"]).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _STRUCT.size)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def words(self, subject: Subject, *more: str) -> list[str]:
        """Return the command line of a subject."""
        return [word.format(inputs=self.inputs, trial=self.trial) for word in (*subject.words, *more, "--json")]

    def reset(self) -> None:
        """Begin a trial with fresh folders."""
        shutil.rmtree(self.trial, ignore_errors=True)
        shutil.copytree(self.template, self.trial)
        (self.trial / "tmp").mkdir(exist_ok=True)

    def run(self, words: Sequence[str], kind: str = "no fault", point: int = 0) -> Ending:
        """Run a command line in a fork of this process."""
        began = time.monotonic()
        self._shared[:] = _STRUCT.pack(KINDS[kind], point, 0, 0, os.fsencode(self.trial))
        child = os.fork()
        if not child:
            self._command(words)
        _, status = os.waitpid(child, 0)
        points = _STRUCT.unpack(self._shared[:])[2]
        self._shared[:] = bytes(_STRUCT.size)
        log = self._log.read_text(errors="replace")
        text, _, rest = log.rpartition("\0")
        code = os.waitstatus_to_exitcode(status)
        return Ending(code=code, text=text, log=rest, points=points, seconds=time.monotonic() - began)

    def orphans(self) -> int:
        """Return how many processes of a killed command live after `ORPHAN_S`; they are ended then."""
        deadline = time.monotonic() + ORPHAN_S
        while (left := _alive()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in left:
            process.kill()
        return len(left)

    def tree(self) -> set[str]:
        """Return the names of all that lies in the trial's folder, but what differs between good runs."""
        names = (path.relative_to(self.trial).as_posix() for path in self.trial.rglob("*"))
        return {name for name in names if not name.startswith(INNER) or ".cousins-" in name}

    def _command(self, words: Sequence[str]) -> None:
        """Run the command in this fork and end it."""
        code, output = 70, io.StringIO()
        with self._log.open("w") as log, redirect_stderr(log):
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            try:
                os.environ |= {"COUSINS_STORE": f"{self.trial}/store", "COUSINS_PACKS": f"{self.trial}/cache"}
                os.environ["TMPDIR"] = tempfile.tempdir = f"{self.trial}/tmp"
                struct.pack_into("q", self._shared, 24, os.getpid())
                from flows.cli import run

                code = run(list(words), output)
            except BaseException:  # noqa: BLE001
                traceback.print_exc(file=log)
            log.flush()
        printed = self._log.read_text(errors="replace")
        self._log.write_text(f"{output.getvalue()}\0{printed}")
        os._exit(code)


def with_shim() -> None:
    """Start this program again with the shim, compiled by `cc`, loaded before all libraries."""
    if "FAULTS_FILE" in os.environ:
        return
    scratch = Path(tempfile.mkdtemp(prefix="cousins-faults-"))
    library, shared = scratch / "write_faults.so", scratch / "faults"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SHIM), "-ldl"], check=True)
    shared.write_bytes(bytes(_STRUCT.size))
    environment = os.environ | {"LD_PRELOAD": str(library), "FAULTS_FILE": str(shared)}
    code = subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode
    shutil.rmtree(scratch)
    sys.exit(code)


def tree_digest(folder: Path) -> str:
    """Return the SHA-256 over names and bytes of all files of a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def error_of(ending: Ending) -> dict[str, Any]:
    """Return the error that a command printed as JSON, empty for none."""
    try:
        return dict(json.loads(ending.text).get("error", {}))
    except (ValueError, AttributeError):
        return {}


def _alive() -> list[psutil.Process]:
    """Return this process's descendants that run; ended ones are reaped."""
    running = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)
            else:
                running.append(process)
        except (psutil.NoSuchProcess, ChildProcessError):
            continue
    return running
