"""Weights of learned back-ends: local folder, download addresses and SHA-256 digests.

A digest is listed only where it is certain: those of SAM are of Meta's published files, as mirrors store them under
Git LFS, whose object name is the SHA-256; those of YOLOX-nano were computed from the files themselves.
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
    """URL at which its owner publishes it."""
    sha256: str | None
    """SHA-256 of the file; None where no trustworthy source publishes it, so the user has to give it."""
    size_bytes: int | None = None
    """File size [bytes]; None where not published."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model that can be downloaded."""

    name: str
    """Name of the model, as in `cousins models get NAME`."""
    purpose: str
    """Short description of what the model is used for."""
    licence: str
    """SPDX identifier of the weights' licence."""
    files: tuple[WeightsFile, ...]
    """All files that the model needs."""


def _sam(size: str, stem: str, sha256: str, size_bytes: int) -> Weights:
    url = f"https://dl.fbaipublicfiles.com/segment_anything/{stem}.pth"
    file = WeightsFile(name=f"{stem}.pth", address=url, sha256=sha256, size_bytes=size_bytes)
    purpose = f"Segment Anything, ViT-{size.upper()}: --segmenter sam"
    return Weights(name=f"sam-vit-{size}", purpose=purpose, licence="Apache-2.0", files=(file,))


def _hugging_face(name: str, purpose: str, licence: str, repository: str, files: tuple[str, ...]) -> Weights:
    root = f"https://huggingface.co/{repository}/resolve/main/"
    weights_files = tuple(WeightsFile(name=file, address=root + file, sha256=None) for file in files)
    return Weights(name=name, purpose=purpose, licence=licence, files=weights_files)


_YOLOX = (
    "https://raw.githubusercontent.com/nihui/ncnn-android-yolox/632f140205afb2fa8dac4b200c8be8eaba8ab27f"
    "/app/src/main/assets/"
)
KNOWN_MODELS = (
    _sam("b", "sam_vit_b_01ec64", "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912", 375_042_383),
    _sam("l", "sam_vit_l_0b3195", "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622", 1_249_524_607),
    _sam("h", "sam_vit_h_4b8939", "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e", 2_564_550_879),
    *(
        _hugging_face(
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
        purpose="YOLOX-nano, 80 kinds of things of COCO: --names yolox",
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
    _hugging_face(
        "clip-vit-b32",
        "CLIP, names from any list of words: --names clip",
        "MIT",
        "openai/clip-vit-base-patch32",
        ("config.json", "pytorch_model.bin", "vocab.json", "merges.txt"),
    ),
)
"""Every model that can be downloaded by name."""


def weights_folder() -> Path:
    """Return the folder of downloaded weights: `COUSINS_MODELS`, or a folder in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_MODELS") or cache / "cousins-models")


def find_weights(name: str) -> Weights:
    """Return a model by name; raises `UnknownNameError` where there is none."""
    names = [weights.name for weights in KNOWN_MODELS]
    if name not in names:
        similar = difflib.get_close_matches(name, names, n=1)
        raise UnknownNameError(
            f"no model named '{name}'",
            expected="one of " + ", ".join(names),
            hint=f"Did you mean '{similar[0]}'?" if similar else "`cousins models` lists them.",
        )
    return KNOWN_MODELS[names.index(name)]


def downloaded_weights(name: str) -> Path:
    """Return the file or folder of a downloaded model; raises `InputError` where a file of it is missing."""
    weights = find_weights(name)
    folder = weights_folder() / name
    missing_files = [file.name for file in weights.files if not (folder / file.name).is_file()]
    if missing_files:
        raise InputError(
            f"no weights of {name}: {missing_files[0]} is not in {folder}",
            expected="the model's files there",
            hint=f"Type `cousins models get {name}`, or give the path of weights that you have.",
        )
    return folder / weights.files[0].name if len(weights.files) == 1 else folder
