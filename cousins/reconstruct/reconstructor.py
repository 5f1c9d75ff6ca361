"""The seam of radiance-field back-ends: what `cousins.reconstruct.backends` trains on a capture and returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cousins.capture.captures import Capture
from cousins.meshes import Mesh
from cousins.reconstruct.splats import Splats

ProgressCallback = Callable[[str, float], None]
"""Called with the name of the running step and the fraction of it that is complete, 0 to 1."""


class Reconstructor(Protocol):
    """Trains a radiance field on the colour pictures of a capture."""

    def splats(self, capture: Capture, work: Path, *, progress: ProgressCallback) -> Splats:
        """Return the scene as splats in the capture's frame [m]; `work` is an empty folder."""
        ...

    def mesh(self, capture: Capture, work: Path, *, progress: ProgressCallback) -> Mesh:
        """Return the scene as a mesh in the capture's frame [m]; `work` is an empty folder."""
        ...
