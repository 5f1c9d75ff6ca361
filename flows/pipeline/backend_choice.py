"""Who does what in a scan: `NAME` or `NAME:WEIGHTS`, checked before any work begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError
from cousins.importers.rooms import find_room, read_room
from cousins.plugins import load
from cousins.store import digest_of, file_digest
from cousins.weights import KNOWN, fetched
from flows.extras import needing

SEGMENTERS: Final = "cousins.segment.backends"
NAMERS: Final = "cousins.segment.namers"
DEFAULT_WEIGHTS: Final = {"sam": "sam-vit-b", "yolox": "yolox-nano", "clip": "clip-vit-b32"}
"""Models of the learned back-ends, where the user names none."""
EXTRAS: Final = {"sam": "sam", "yolox": "names", "clip": "sam"}
"""What a back-end needs to be installed."""


def choices(segmenter: str, namer: str | None) -> dict[str, Any]:
    """Return the fields of `Options` for a segmenter and a namer; raises `InputError` where one cannot work."""
    name, weights = chosen(segmenter, package=SEGMENTERS, kind="segmenter")
    fields: dict[str, Any] = {"segmenter": name, "segmenter_weights": weights, "segmenter_digest": _digest(weights)}
    if namer is not None:
        name, weights = chosen(namer, package=NAMERS, kind="namer")
        fields |= {"namer": name, "namer_weights": weights, "namer_digest": _digest(weights)}
    return fields


def faces(model: Path | None) -> dict[str, str]:
    """Return the fields of `Options` for blurring faces; raises `InputError` where the model does not run."""
    if model is None:
        return {}
    with needing("vision"):
        from cousins.capture.yunet import YuNet
    YuNet(model)
    return {"face_model": str(model.resolve()), "face_digest": file_digest(model)}


def layout(room: Path | None) -> dict[str, Any]:
    """Return the fields of `Options` for a layout scan that measures the scale; raises `InputError` for others."""
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


def chosen(text: str, *, package: str, kind: str) -> tuple[str, str | None]:
    """Return a back-end's name and the path of its weights, None where it has none."""
    name, colon, weights = text.partition(":")
    load(package, name, kind=kind)
    if name not in DEFAULT_WEIGHTS:
        if colon:
            raise InputError(
                f"weights {weights!r} for the {kind} {name!r}", expected="none: it has no weights", hint=f"Type {name}."
            )
        return name, None
    if not weights or weights in {model.name for model in KNOWN}:
        return name, str(fetched(weights or DEFAULT_WEIGHTS[name]).resolve())
    if not Path(weights).exists():
        raise InputError(
            f"nothing at {weights!r}",
            expected=f"weights for the {kind} {name!r}: a path, or the name of a model",
            hint="`cousins models` lists the models and where they lie.",
        )
    return name, str(Path(weights).resolve())


def _digest(weights: str | None) -> str | None:
    if weights is None:
        return None
    path = Path(weights)
    if path.is_file():
        return file_digest(path)
    return digest_of({file.name: file_digest(file) for file in sorted(path.iterdir()) if file.is_file()})
