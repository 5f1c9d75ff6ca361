"""A child that reads a file has memory that fits the file."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cousins.errors import CaptureError
from cousins.importers.meshes import read_mesh
from cousins.sandbox import LEAST_MEMORY_BYTES, MAX_MEMORY_BYTES, MEMORY_PER_BYTE

LIMIT_OF = (
    "import resource, sys; from pathlib import Path; from cousins.sandbox import limit_resources; "
    "limit_resources(Path(sys.argv[1])); print(resource.getrlimit(resource.RLIMIT_AS)[0])"
)


def limit_for(path: Path) -> int:
    return int(subprocess.run([sys.executable, "-c", LIMIT_OF, str(path)], capture_output=True, check=True).stdout)


def test_the_limit_grows_with_the_file_and_has_an_end(tmp_path: Path) -> None:
    limits = []
    for size in (300, 10 << 20, 1 << 30):
        path = tmp_path / str(size)
        with path.open("wb") as file:
            file.truncate(size)
        limits.append(limit_for(path))
    small, larger, largest = limits
    assert LEAST_MEMORY_BYTES < small < 3 * LEAST_MEMORY_BYTES
    assert larger - small == pytest.approx(MEMORY_PER_BYTE * (10 << 20), rel=0.05)
    assert largest == MAX_MEMORY_BYTES


def small_file_with_large_claim(path: Path) -> Path:
    """Write a GLB of some hundred bytes whose accessor has 300 million points, all zero by its format's rules."""
    count = 300_000_000
    scene = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"componentType": 5126, "count": count, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 1]}],
    }
    text = json.dumps(scene).encode()
    text += b" " * (-len(text) % 4)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 20 + len(text)) + struct.pack("<I4s", len(text), b"JSON") + text)
    return path


def test_a_small_file_cannot_fill_the_machine(tmp_path: Path) -> None:
    path = small_file_with_large_claim(tmp_path / "claim.glb")
    assert path.stat().st_size < 500
    with pytest.raises(CaptureError):
        read_mesh(path)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 2 * LEAST_MEMORY_BYTES
