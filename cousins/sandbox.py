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
from cousins.child_processes import bound_command

TIMEOUT_S: Final = 180.0
"""Longest time that a child may take on the wall clock [s]."""
MAX_MEMORY_BYTES: Final = 8 * 2**30
"""Most address space of a child [bytes]; usd-core's worker threads reserve some of it unused."""
LEAST_MEMORY_BYTES: Final = 2**30
"""Memory that a child has for the smallest file, beside what its libraries take [bytes]."""
MEMORY_PER_BYTE: Final = 100
"""Memory that a child has for each byte of a file more: lists of numbers from text take 50 to 80."""
MAX_CPU_S: Final = 120
"""Processor time of a child [s]."""


class SandboxError(Exception):
    """Reason why a child process failed, as the end of a sentence about the file."""


def run_sandboxed(module: str, *paths: Path) -> bytes:
    """Return what `python -m module path ...` prints; raises SandboxError where it dies or takes too long."""
    child = subprocess.Popen(
        bound_command([sys.executable, "-m", module, *(str(path.resolve()) for path in paths)]),
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


def limit_resources(path: Path) -> None:
    """Limit memory, processor time and written files of this process to what a file may take; a worker calls it first.

    So a small file that claims to be large ends its own child and does not fill the machine.
    """
    for kind, amount in (
        (resource.RLIMIT_AS, _memory_limit(path)),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _memory_limit(path: Path) -> int:
    """Return the address space for reading a file [bytes]: what the libraries take by now, and what fits the file."""
    pages = Path("/proc/self/statm")
    own_bytes = int(pages.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if pages.is_file() else MAX_MEMORY_BYTES
    size = path.stat().st_size if path.is_file() else 0
    return min(MAX_MEMORY_BYTES, own_bytes + LEAST_MEMORY_BYTES + MEMORY_PER_BYTE * size)


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
