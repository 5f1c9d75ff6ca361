"""Names by CLIP (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).

Works with any list of words: each segment is cropped from the picture with a margin, and the word whose sentence has
the highest similarity with the crop wins. The score is its softmax share among all words of the list, so it falls with
the length of the list and means nothing where the right word is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from PIL import Image

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.segment.labels import MaskedPicture
from cousins.weights import downloaded_weights

PIXEL_MEAN, PIXEL_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of the colours that CLIP was trained on, 0 to 1."""
CROP_MARGIN: Final = 0.15
"""Margin of a crop around a segment, as a fraction of its longer side."""
DEFAULT_WORDS: Final = (
    *("apple", "backpack", "ball", "banana", "basket", "bed", "bell", "bench", "bin", "book", "bottle", "bowl"),
    *("box", "cabinet", "can", "candle", "cereal box", "chair", "clock", "cup", "cushion", "desk", "drawer unit"),
    *("figurine", "flower pot", "fork", "glass", "hammer", "hat", "headphones", "jar", "kettle", "keyboard", "knife"),
    *("lamp", "laptop", "monitor", "mouse", "mug", "orange", "pan", "pen", "phone", "picture frame", "pillow"),
    *("plant", "plate", "pot", "printer", "remote control", "scissors", "screwdriver", "shelf", "shoe", "sofa"),
    *("speaker", "spoon", "stool", "stuffed toy", "suitcase", "table", "teapot", "tin", "tissue box", "toaster"),
    *("tool", "toothbrush", "toy", "toy car", "tray", "vase", "watering can", "wardrobe"),
)
"""Default vocabulary: things found in homes."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Weights and vocabulary of the namer."""

    weights: Path | None = None
    """Folder that transformers saved; None takes what `cousins models get clip-vit-b32` fetched."""
    words: tuple[str, ...] = DEFAULT_WORDS
    """Vocabulary."""
    min_score: float = 0.3
    """Lowest mean share of a word over the views."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; auto takes CUDA where there is some."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Namer that compares crops with sentences; implements the `Namer` protocol."""

    config: Config
    """Vocabulary and score threshold."""
    network: Any
    """transformers' CLIPModel in evaluation mode."""
    word_embeddings: Any
    """Unit vector of each word's sentence, float32 [words, d]."""
    source: str = "clip"
    """Name of the namer, stored with each label."""

    @property
    def min_score(self) -> float:
        """Mean score below which a name is discarded, 0 to 1."""
        return self.config.min_score

    def guess(self, view: MaskedPicture) -> Sequence[Mapping[str, float]]:
        """Return for each mask of the view the share of every word."""
        import torch

        side = int(self.network.config.vision_config.image_size)
        crops = np.stack([crop_square(view.picture, view.box(k), side) for k in range(len(view.masks))])
        with torch.inference_mode():
            pixels = torch.from_numpy(crops).to(self.network.device)
            image_features = _unit_features(self.network.get_image_features(pixel_values=pixels))
            shares = (
                (self.network.logit_scale.exp() * image_features @ self.word_embeddings.T).softmax(dim=-1).cpu().numpy()
            )
        return [dict(zip(self.config.words, map(float, row), strict=True)) for row in shares]


def build(config: Config) -> Clip:
    """Return the namer; raises `InputError` without weights, `ModuleNotFoundError` without torch."""
    folder = downloaded_weights("clip-vit-b32") if config.weights is None else config.weights
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        network = CLIPModel.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{folder}: {str(error).splitlines()[0]}",
            expected="a folder of CLIP that transformers saved, with its vocab.json and merges.txt",
            hint="Type `cousins models get clip-vit-b32`, or give the folder: --names clip:FOLDER.",
        ) from error
    device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    network = network.eval().to(device)
    sentences = [f"a photo of a {word}" for word in config.words]
    tokens = tokenizer(sentences, padding=True, return_tensors="pt").to(device)
    with torch.inference_mode():
        word_embeddings = _unit_features(network.get_text_features(**tokens))
    return Clip(config=config, network=network, word_embeddings=word_embeddings)


def crop_square(picture: Array, box: Array, side_px: int) -> Array:
    """Return the normalised square crop around a box [4], float32 [3, side, side]; outside the picture it is padded."""
    middle = 0.5 * (box[:2] + box[2:])
    half = (0.5 + CROP_MARGIN) * float((box[2:] - box[:2]).max())
    grey = tuple(round(255 * part) for part in PIXEL_MEAN)
    square = Image.fromarray(picture).transform(
        (side_px, side_px),
        Image.Transform.EXTENT,
        (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half),
        Image.Resampling.BICUBIC,
        fillcolor=grey,
    )
    normal = (np.asarray(square, dtype=np.float32) / 255.0 - np.array(PIXEL_MEAN)) / np.array(PIXEL_STD)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


def _unit_features(features: Any) -> Any:
    vectors = features if hasattr(features, "norm") else features.pooler_output
    return vectors / vectors.norm(dim=-1, keepdim=True)
