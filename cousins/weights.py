"""Weights of learned back-ends: where they lie, where they come from, and what their bytes must be.

A hash stands here only where it is known for certain: those of SAM are Meta's published files as many mirrors keep
them under Git LFS, whose object name is the SHA-256; those of YOLOX-nano were taken of the files themselves.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from cousins.errors import InputError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """One file of a model."""

    name: str
    """File name in the model's folder."""
    address: str
    """Where its owner publishes it."""
    sha256: str | None
    """Its SHA-256; None where nobody we can check tells it, so that the user must."""
    size_bytes: int | None = None
    """Its size, where known."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model that can be fetched."""

    name: str
    """As in `cousins models get NAME`."""
    what: str
    """What it is for, in a few words."""
    licence: str
    """SPDX identifier of the weights' licence."""
    files: tuple[WeightsFile, ...]
    """All that it needs."""


def _sam(letter: str, stem: str, sha256: str, size_bytes: int) -> Weights:
    address = f"https://dl.fbaipublicfiles.com/segment_anything/{stem}.pth"
    file = WeightsFile(name=f"{stem}.pth", address=address, sha256=sha256, size_bytes=size_bytes)
    what = f"Segment Anything, ViT-{letter.upper()}: --segmenter sam"
    return Weights(name=f"sam-vit-{letter}", what=what, licence="Apache-2.0", files=(file,))


def _hub(name: str, what: str, licence: str, repository: str, files: tuple[str, ...]) -> Weights:
    root = f"https://huggingface.co/{repository}/resolve/main/"
    listed = tuple(WeightsFile(name=file, address=root + file, sha256=None) for file in files)
    return Weights(name=name, what=what, licence=licence, files=listed)


_YOLOX = (
    "https://raw.githubusercontent.com/nihui/ncnn-android-yolox/632f140205afb2fa8dac4b200c8be8eaba8ab27f"
    "/app/src/main/assets/"
)
KNOWN = (
    _sam("b", "sam_vit_b_01ec64", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912", 375_042_383),
    _sam("l", "sam_vit_l_0b3195", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622", 1_249_524_607),
    _sam("h", "sam_vit_h_4b8939", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e", 2_564_550_879),
    *(
        _hub(
            f"sam2.1-hiera-{size}",
            f"Segment Anything 2.1, Hiera {size}: --segmenter sam:sam2.1-hiera-{size}",
            "Apache-2.0",
            f"facebook/sam2.1-hiera-{size}",
            ("config.json", "model.safetensors"),
        )
        for size in ("tiny", "small", "base-plus", "large")
    ),
    Weights(
        name="yolox-nano",
        what="YOLOX-nano, 80 kinds of things of COCO: --names yolox",
        licence="Apache-2.0",
        files=(
            WeightsFile(
                name="yolox-nano.param",
                address=_YOLOX + "yolox-nano.param",
                sha256="ee80b3cb89579aedae8ade8b61eacef366b502296acee2dad082174747f25c59",
                size_bytes=22_073,
            ),
            WeightsFile(
                name="yolox-nano.bin",
                address=_YOLOX + "yolox-nano.bin",
                sha256="dcf9487b7ff9c5e831eb77b7187f5324a21bcb732e8f8415787cb2603f85e3e8",
                size_bytes=1_825_280,
            ),
        ),
    ),
    _hub(
        "clip-vit-b32",
        "CLIP, names from any list of words: --names clip",
        "MIT",
        "openai/clip-vit-base-patch32",
        ("config.json", "pytorch_model.bin", "vocab.json", "merges.txt"),
    ),
)
"""Every model that is known by name."""


def weights_folder() -> Path:
    """Return where weights lie: COUSINS_MODELS, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_MODELS") or cache / "cousins-models")


def known_weights(name: str) -> Weights:
    """Return a model by name; raises `UnknownNameError`."""
    names = [one.name for one in KNOWN]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        raise UnknownNameError(
            f"no model named '{name}'",
            expected="one of " + ", ".join(names),
            hint=f"Did you mean '{close[0]}'?" if close else "`cousins models` lists them.",
        )
    return KNOWN[names.index(name)]


def fetched(name: str) -> Path:
    """Return the file or folder of a model that was fetched; raises `InputError` where it was not."""
    weights = known_weights(name)
    folder = weights_folder() / name
    lacking = [file.name for file in weights.files if not (folder / file.name).is_file()]
    if lacking:
        raise InputError(
            f"no weights of {name}: {lacking[0]} is not in {folder}",
            expected="the model's files there",
            hint=f"Type `cousins models get {name}`, or give the path of weights that you have.",
        )
    return folder / weights.files[0].name if len(weights.files) == 1 else folder
