"""Run a module of this package as a child process that may crash or exceed its limits, and return its output."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cousins
from cousins.errors import CaptureError


class ChildFailedError(Exception):
    """The child process failed; `output` holds the bytes that it had written."""

    def __init__(self, message: str, output: bytes = b"") -> None:
        super().__init__(message)
        self.output = output


def run_child(module: str, request: bytes, *, timeout_s: float, cwd: Path | None = None) -> bytes:
    """Run `python -m module` with the request on standard input and return its standard output.

    Raises ChildFailedError where it times out or exits with an error.
    """
    try:
        process = subprocess.run(
            [sys.executable, "-m", module],
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=cwd or "/",
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(cousins.__file__).parents[1])},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailedError(f"took more than {timeout_s:.0f} s", error.stdout or b"") from error
    if process.returncode != 0:
        raise ChildFailedError(f"ended with code {process.returncode}", process.stdout)
    return process.stdout


def require_package(module_name: str, *, purpose: str, package: str) -> None:
    """Raise CaptureError with installation advice where a module of the extra `photos` is missing."""
    if importlib.util.find_spec(module_name) is None:
        raise CaptureError(
            f"{purpose}, and no {package} to read it", expected=package, hint="pip install 'cousins[photos]'"
        )
