"""Run one of our modules as a child process that may crash or run into its limits, and hand back what it wrote."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cousins
from cousins.errors import CaptureError


class ChildFailedError(Exception):
    """The child ended badly; `output` is what it had written."""

    def __init__(self, found: str, output: bytes = b"") -> None:
        super().__init__(found)
        self.output = output


def run_child(module: str, request: bytes, *, timeout_s: float, cwd: Path | None = None) -> bytes:
    """Return what `python -m module` answers to the request on its standard input."""
    try:
        done = subprocess.run(
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
    if done.returncode != 0:
        raise ChildFailedError(f"ended with code {done.returncode}", done.stdout)
    return done.stdout


def need(module: str, *, what: str, package: str) -> None:
    """Raise CaptureError with what to install where a module of the extra `photos` is missing."""
    if importlib.util.find_spec(module) is None:
        raise CaptureError(
            f"{what}, and no {package} to read it", expected=package, hint="pip install 'cousins[photos]'"
        )
