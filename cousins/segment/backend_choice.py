"""Segmenters and namers as a user types them, `NAME` or `NAME:WEIGHTS`: checked and built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, TypeAlias

from cousins.capture.captures import Capture
from cousins.errors import InputError
from cousins.extras import requires_extra
from cousins.plugins import load_backend
from cousins.seeding import SEGMENT_RNG, child_rng
from cousins.segment.labels import Namer
from cousins.segment.segments import Segmentation, Segmenter
from cousins.store import file_digest, json_digest
from cousins.weights import KNOWN_MODELS, downloaded_weights

BackendKind: TypeAlias = Literal["segmenter", "namer"]
PACKAGES: Final = {"segmenter": "cousins.segment.backends", "namer": "cousins.segment.namers"}
"""Folders of the back-ends by kind."""
DEFAULT_WEIGHTS: Final = {"sam": "sam-vit-b", "yolox": "yolox-nano", "clip": "clip-vit-b32"}
"""Models of the learned back-ends, where the user names none."""
EXTRAS: Final = {"sam": "sam", "yolox": "names", "clip": "sam"}
"""Optional dependencies of a back-end."""


@dataclass(frozen=True, kw_only=True)
class BackendChoice:
    """A back-end with its weights, named by content."""

    name: str
    """File name of the back-end."""
    weights: str | None = None
    """Path of its weights; None where it has none."""
    digest: str | None = None
    """SHA-256 of the weights; None where it has none."""


def choose_backend(text: str, *, kind: BackendKind) -> BackendChoice:
    """Return the back-end that `NAME` or `NAME:WEIGHTS` names; raises `InputError` where it cannot work."""
    name, colon, weights = text.partition(":")
    load_backend(PACKAGES[kind], name, kind=kind)
    if name not in DEFAULT_WEIGHTS:
        if colon:
            raise InputError(
                f"weights {weights!r} for the {kind} {name!r}", expected="none: it has no weights", hint=f"Type {name}."
            )
        return BackendChoice(name=name)
    if not weights or weights in {model.name for model in KNOWN_MODELS}:
        path = downloaded_weights(weights or DEFAULT_WEIGHTS[name]).resolve()
    elif Path(weights).exists():
        path = Path(weights).resolve()
    else:
        raise InputError(
            f"nothing at {weights!r}",
            expected=f"weights for the {kind} {name!r}: a path, or the name of a model",
            hint="`cousins models` lists the models and where they lie.",
        )
    return BackendChoice(name=name, weights=str(path), digest=_digest(path))


def build_segmenter(choice: BackendChoice) -> Segmenter:
    """Return the segmenter of a choice; raises `InputError` where its extra is not installed."""
    module = load_backend(PACKAGES["segmenter"], choice.name, kind="segmenter")
    with requires_extra(EXTRAS.get(choice.name, "sim")):
        segmenter: Segmenter = module.build(_config(module, choice))
    return segmenter


def segment_capture(capture: Capture, *, segmenter: str = "geometric", seed: int = 0) -> Segmentation:
    """Return the objects and fixed planes of a capture; `segmenter` is `NAME` or `NAME:WEIGHTS`.

    Raises `InputError` for a back-end that cannot work, `StageError` where it fails.
    """
    backend = build_segmenter(choose_backend(segmenter, kind="segmenter"))
    return backend.segment(capture, rng=child_rng(seed, SEGMENT_RNG))


def build_namer(choice: BackendChoice) -> Namer:
    """Return the namer of a choice; raises `InputError` where its extra is not installed."""
    module = load_backend(PACKAGES["namer"], choice.name, kind="namer")
    with requires_extra(EXTRAS.get(choice.name, "sim")):
        namer: Namer = module.build(_config(module, choice))
    return namer


def _config(module: ModuleType, choice: BackendChoice) -> object:
    return module.Config() if choice.weights is None else module.Config(weights=Path(choice.weights))


def _digest(path: Path) -> str:
    if path.is_file():
        return file_digest(path)
    return json_digest({file.name: file_digest(file) for file in sorted(path.iterdir()) if file.is_file()})
