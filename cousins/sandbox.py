"""Read untrusted files in a child process with limits: a crafted file can crash its parser or keep it busy."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import cousins

TIMEOUT_S: Final = 180.0
"""Longest time that a child may take on the wall clock [s]."""
MAX_MEMORY_BYTES: Final = 8 * 2**30
"""Address space of a child [bytes]; usd-core's worker threads reserve some of it unused."""
MAX_CPU_S: Final = 120
"""Processor time of a child [s]."""


class SandboxError(Exception):
    """Reason why a child process failed, as the end of a sentence about the file."""


def run_sandboxed(module: str, path: Path) -> bytes:
    """Return what `python -m module path` prints; raises ChildError where it dies or takes too long."""
    child = subprocess.Popen(
        [sys.executable, "-m", module, str(path.resolve())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise SandboxError(f"reading it took more than {TIMEOUT_S:.0f} s") from None
    if child.returncode != 0:
        raise SandboxError(_death(child.returncode))
    return output


def limit_resources() -> None:
    """Limit memory, processor time and written files of this process; a worker calls it first."""
    for kind, amount in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _environment() -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(cousins.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PXR_WORK_THREAD_LIMIT": "1",
    }


def _death(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "the parser used up its processor time"
    if code < 0:
        return f"the parser died of {signal.Signals(-code).name}"
    return f"the parser ended with code {code}"
