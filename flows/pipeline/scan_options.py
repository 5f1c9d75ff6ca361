"""What a user may choose about a scan, and how it is resolved before any work begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cousins.errors import InputError
from cousins.extras import requires_extra
from cousins.importers.rooms import find_room, read_room
from cousins.importers.units import LengthUnit
from cousins.scale.distance import parse_distance
from cousins.segment.backend_choice import BackendChoice, choose_backend
from cousins.store import file_digest
from flows.execution.stage_options import StageOptions


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """Options of a scan, as typed."""

    seed: int = 0
    """Root of all randomness."""
    segmenter: str = "geometric"
    """Back-end that separates objects, `NAME` or `NAME:WEIGHTS`."""
    names: str | None = None
    """Back-end that labels objects, `NAME` or `NAME:WEIGHTS`; None leaves labels to geometry."""
    format: str | None = None
    """Format of the export; None recognises it."""
    up: Literal["y", "z"] | None = None
    """Up axis of a finished mesh; None takes the convention of its format."""
    unit: LengthUnit | None = None
    """Unit of the numbers in a finished mesh; None takes what its format states, else metres."""
    tag_size_m: float | None = None
    """Side of the printed tags in the scene [m]; None where there are none."""
    scale_distances: tuple[str, ...] = ()
    """Distances measured by hand, such as `tag0:tag5=0.62`."""
    scale_room: Path | None = None
    """RoomPlan scan of the same room, whose walls measure the scale of photos."""
    blur_faces: Path | None = None
    """YuNet model (.onnx) that finds faces to blur; None leaves them."""
    name: str | None = None
    """Name of the scene; None takes a neutral word, because file names may reveal whose they are."""


def resolve_options(options: ScanOptions) -> StageOptions:
    """Return options as stages read them; raises `InputError` for what cannot work, before any work."""
    for text in options.scale_distances:
        parse_distance(text)
    segmenter = choose_backend(options.segmenter, kind="segmenter")
    namer = None if options.names is None else choose_backend(options.names, kind="namer")
    return StageOptions(
        seed=options.seed,
        segmenter=segmenter.name,
        segmenter_weights=segmenter.weights,
        segmenter_digest=segmenter.digest,
        namer=None if namer is None else namer.name,
        namer_weights=None if namer is None else namer.weights,
        namer_digest=None if namer is None else namer.digest,
        format=options.format,
        up=options.up,
        unit=options.unit,
        tag_size_m=options.tag_size_m,
        scale_distances=tuple(options.scale_distances),
        **_face_fields(options.blur_faces),
        **layout_fields(options.scale_room),
        name=options.name,
    )


def segmenter_choice(options: StageOptions) -> BackendChoice:
    """Return the segmenter that options name."""
    return BackendChoice(name=options.segmenter, weights=options.segmenter_weights, digest=options.segmenter_digest)


def namer_choice(options: StageOptions) -> BackendChoice:
    """Return the namer that options name; asked for only where there is one."""
    assert options.namer is not None, "the stage is run for a namer"
    return BackendChoice(name=options.namer, weights=options.namer_weights, digest=options.namer_digest)


def layout_fields(room: Path | None) -> dict[str, str]:
    """Return the fields of `StageOptions` for a layout scan that measures the scale; raises `InputError`."""
    if room is None:
        return {}
    path = find_room(room) if room.exists() else None
    if path is None:
        raise InputError(
            f"no layout scan at {str(room)!r}",
            expected="a room scanned by RoomPlan, as JSON or USDZ",
            hint="Scan the room that the photos show with an app that uses RoomPlan, and export it.",
        )
    read_room(path)
    return {"scale_room": str(path.resolve()), "scale_room_digest": file_digest(path)}


def _face_fields(model: Path | None) -> dict[str, str]:
    if model is None:
        return {}
    with requires_extra("vision"):
        from cousins.capture.yunet import YuNet
    YuNet(model)
    return {"face_model": str(model.resolve()), "face_digest": file_digest(model)}
