"""Run a module of this package as a child process that may crash or exceed its limits, and return its output."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import cousins
from cousins.child_processes import bound_command
from cousins.errors import CaptureError

MAX_REASON_CHARACTERS = 160
"""Longest last line of a child's standard error that is quoted."""

_SIGNAL_ADVICE = {
    signal.SIGKILL: "The system ended it, most often for lack of memory: close other programs and try again.",
    signal.SIGXCPU: "It reached its limit of processor time: use fewer or smaller pictures.",
}


class ChildFailedError(Exception):
    """The child process failed: the text names it and how it ended, `advice` is for the user.

    `output` holds the bytes that it had written.
    """

    def __init__(self, message: str, *, advice: str, output: bytes = b"") -> None:
        super().__init__(message)
        self.advice = advice
        self.output = output


def run_child(module: str, request: bytes, *, timeout_s: float, cwd: Path | None = None) -> bytes:
    """Run `python -m module` with the request on standard input and return its standard output.

    Raises ChildFailedError where it times out, is ended by a signal or exits with an error.
    """
    try:
        process = subprocess.run(
            bound_command([sys.executable, "-m", module]),
            input=request,
            capture_output=True,
            cwd=cwd or "/",
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(cousins.__file__).parents[1])},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailedError(
            f"the child process {module} took more than {timeout_s:.0f} s",
            advice="Use fewer or smaller pictures, or a machine that is less busy.",
            output=error.stdout or b"",
        ) from error
    if process.returncode != 0:
        raise ChildFailedError(
            f"the child process {module} {_ending(process)}", advice=_advice(process), output=process.stdout
        )
    return process.stdout


def require_package(module_name: str, *, purpose: str, package: str) -> None:
    """Raise CaptureError with installation advice where a module of the extra `photos` is missing."""
    if importlib.util.find_spec(module_name) is None:
        raise CaptureError(
            f"{purpose}, and no {package} to read it", expected=package, hint="pip install 'cousins[photos]'"
        )


def _ending(process: subprocess.CompletedProcess[bytes]) -> str:
    """Return how a child ended: its signal, or its exit code and the last line that it wrote to standard error."""
    if process.returncode < 0:
        return f"crashed with signal {-process.returncode} ({signal.Signals(-process.returncode).name})"
    lines = process.stderr.decode("utf-8", errors="replace").strip().splitlines()
    reason = f": {lines[-1][:MAX_REASON_CHARACTERS]}" if lines else ""
    return f"ended with exit code {process.returncode}{reason}"


def _advice(process: subprocess.CompletedProcess[bytes]) -> str:
    number = -process.returncode
    if number in _SIGNAL_ADVICE:
        return _SIGNAL_ADVICE[signal.Signals(number)]
    if b"MemoryError" in process.stderr or b"bad_alloc" in process.stderr:
        return "It reached its limit of memory: use fewer or smaller pictures."
    return "The program failed here: try again with fewer pictures, and report this line with their format and number."
