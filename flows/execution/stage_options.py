"""Options as stages read them: resolved, checked, and with a digest for every file that they name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cousins.importers.units import LengthUnit


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """Resolved options of a run; digests stand for files in the keys of results, paths never do."""

    seed: int = 0
    """Root of all randomness."""
    segmenter: str = "geometric"
    """Back-end that separates objects."""
    segmenter_weights: str | None = None
    """Path of its weights; None where it has none."""
    segmenter_digest: str | None = None
    """SHA-256 of these."""
    namer: str | None = None
    """Back-end that labels objects; None leaves labels to geometry."""
    namer_weights: str | None = None
    """Path of its weights."""
    namer_digest: str | None = None
    """SHA-256 of these."""
    format: str | None = None
    """Format of the export; None recognises it."""
    up: Literal["y", "z"] | None = None
    """Up axis of a finished mesh; None takes the convention of its format."""
    unit: LengthUnit | None = None
    """Unit of the numbers in a finished mesh; None takes what its format states, else metres."""
    tag_size_m: float | None = None
    """Side of the printed tags in the scene [m]; None where there are none."""
    scale_distances: tuple[str, ...] = ()
    """Distances measured by hand, as `cousins.scale.distance` parses them."""
    scale_room: str | None = None
    """Path of a layout scan of the same room, whose walls measure the scale; None where there is none."""
    scale_room_digest: str | None = None
    """SHA-256 of it."""
    face_model: str | None = None
    """Path of the model that finds faces to blur; None leaves them."""
    face_digest: str | None = None
    """SHA-256 of it."""
    name: str | None = None
    """Name of the scene; None takes a neutral word, because file names may reveal whose they are."""
