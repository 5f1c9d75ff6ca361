"""The lock files of `requirements/`: which sets of extras they hold, and how pins are read from and written to them.

Each package stands in one file alone, the first set that needs it; a set is installed with the files of the sets that
it builds on. PyTorch stands apart, as its two builds need different packages. Standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
SETS: dict[str, tuple[str, ...]] = {
    "base": (),
    "run": ("sim", "flows", "vision", "rl"),
    "dev": (
        *("sim", "flows", "vision", "video", "photos", "names", "s3", "hub", "ray", "dask", "envs"),
        *("rl", "rllib", "adapters", "record", "cells", "dev"),
    ),
    "docs": ("docs",),
    "bench": ("bench",),
    "sam": ("sam",),
}
"""Extras by file, in the order in which packages are assigned; `dev` builds on `run`, the last three on `dev`."""
TORCH_CPU, TORCH_CUDA = "torch-cpu", "torch-cuda"
"""Files of PyTorch's build without CUDA, and of the package index's build with the CUDA libraries it needs."""
FILES = (*SETS, TORCH_CPU, TORCH_CUDA)
CUDA_NAMES = re.compile(r"(torch|triton|nvidia-.*|cuda-.*)$")
"""Packages of `torch-cuda`."""
PIN = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One package of a lock file."""

    name: str
    """Normalised name."""
    version: str
    """Exact version."""
    marker: str
    """Condition on the interpreter under which it is needed; empty where it always is."""
    hashes: tuple[str, ...]
    """SHA-256 digests of its files, any of which may be installed."""

    def text(self) -> str:
        """Return the pin as pip reads it."""
        marker = f" ; {self.marker}" if self.marker else ""
        return " \\\n".join((f"{self.name}=={self.version}{marker}", *(f"    --hash=sha256:{d}" for d in self.hashes)))


def normalised(name: str) -> str:
    """Return a package's name as the index compares it: lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Return the pins of a lock file; comments and blank lines are skipped.

    Raises `ValueError` where any other line is no pin with a hash.
    """
    rest = PIN.sub("", text)
    if wrong := [line for line in rest.splitlines() if line.strip() and not line.startswith("#")]:
        raise ValueError(f"no pinned requirement with a SHA-256: {wrong[0]!r}")
    return tuple(
        Pin(
            name=match["name"],
            version=match["version"],
            marker=match["marker"] or "",
            hashes=tuple(sorted(re.findall(r"sha256:([0-9a-f]{64})", match["hashes"]))),
        )
        for match in PIN.finditer(text)
    )


def read_pins(name: str) -> tuple[Pin, ...]:
    """Return the pins of `requirements/NAME.txt`."""
    return parse_pins((FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def write_pins(name: str, pins: Iterable[Pin], *, heading: str) -> None:
    """Write `requirements/NAME.txt`, with a line of comment at its head."""
    body = "".join(f"{pin.text()}\n" for pin in sorted(pins, key=lambda pin: pin.name))
    (FOLDER / f"{name}.txt").write_text(f"# {heading}\n{body}", encoding="utf-8")
