"""Segment Anything in PyTorch: SAM from Meta's checkpoints and SAM 2 from transformers' folders, on CPU or CUDA.

Only this module imports torch and transformers for segmentation. Images are resized as in training: SAM with its longer
side at 1024 px and padding, SAM 2 stretched to a square; masks come out at a quarter of that size and are enlarged to
the depth image, which has about as many pixels.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from cousins.capture.captures import Frame
from cousins.errors import InputError
from cousins.geometry import Array
from cousins.segment.prompted.checkpoints import network_sizes, to_transformers_names
from cousins.segment.prompted.prompts import MaskPredictions, Prompts
from cousins.weights import downloaded_weights

DEFAULT_MODEL = "sam-vit-b"
"""Model that is loaded by default."""
PIXEL_MEAN, PIXEL_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, 0 to 1, by which both networks normalise."""
FOREGROUND_POINT, PADDING = 1, -10
"""Labels of prompt points: on the object, and padding."""
BF16_CPU_FLAG = "amx_bf16"
"""Flag of processors that multiply bfloat16 faster than float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TorchSam:
    """SAM or SAM 2 in PyTorch; implements the `MaskModel` protocol."""

    network: Any
    """transformers' SamModel or Sam2Model in evaluation mode."""
    side_px: int
    """Side of the square input image [px]."""
    stretched: bool
    """True where images fill the square (SAM 2), False where they are padded (SAM)."""
    device: str
    """`cpu` or `cuda`."""
    bfloat16: bool
    """Whether the network runs in bfloat16."""

    def encode(self, frame: Frame) -> TorchEncodedFrame:
        """Encode a frame's colour image."""
        import torch

        picture = frame.color()
        if picture is None:
            raise ValueError(f"frame {frame.index} has no colour image")
        height, width = picture.shape[:2]
        size = self._size(width, height)
        pixels = torch.from_numpy(_preprocess(picture, size, self.side_px)).to(self.device)
        with torch.inference_mode(), self.precision():
            features = self.network.get_image_embeddings(pixels[None])
        return TorchEncodedFrame(model=self, features=features, size=size, depth_size=frame.depth_m.shape[::-1])

    def precision(self) -> AbstractContextManager[Any]:
        """Return the autocast context in which the network runs."""
        import torch

        return torch.autocast(self.device, dtype=torch.bfloat16) if self.bfloat16 else nullcontext()

    def _size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height of an image inside the square."""
        if self.stretched:
            return self.side_px, self.side_px
        scale = self.side_px / max(width, height)
        return int(width * scale + 0.5), int(height * scale + 0.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class TorchEncodedFrame:
    """A frame encoded by SAM; implements the `EncodedFrame` protocol."""

    model: TorchSam
    """Model that encoded the frame."""
    features: Any
    """The image embeddings."""
    size: tuple[int, int]
    """Width and height of the image inside the square [px]."""
    depth_size: tuple[int, int]
    """Width and height of the depth image [px]."""

    def predict(self, prompts: Prompts) -> MaskPredictions:
        """Return three masks for each prompt."""
        import torch

        if len(prompts) == 0:
            return MaskPredictions(masks=np.zeros((0, 1, *self.depth_size[::-1]), dtype=bool), scores=np.zeros((0, 1)))
        scale = np.array(self.size) / np.array(self.depth_size)
        points = (prompts.points + 0.5) * scale - 0.5
        inputs: dict[str, Any] = {
            "input_points": torch.from_numpy(points[None].astype(np.float32)).to(self.model.device),
            "input_labels": torch.full((1, *points.shape[:2]), FOREGROUND_POINT, device=self.model.device),
        }
        if prompts.boxes is not None:
            boxes = ((prompts.boxes.reshape(-1, 2, 2) + 0.5) * scale - 0.5).reshape(1, -1, 4)
            inputs["input_boxes"] = torch.from_numpy(boxes.astype(np.float32)).to(self.model.device)
        with torch.inference_mode(), self.model.precision():
            outputs = self.model.network(image_embeddings=self.features, multimask_output=True, **inputs)
        masks = self._enlarged(outputs.pred_masks[0].float())
        return MaskPredictions(masks=masks, scores=outputs.iou_scores[0].float().cpu().numpy().astype(np.float64))

    def _enlarged(self, low: Any) -> Array:
        """Return masks bool [k, m, h, w] at the depth image's size from logits [k, m, s, s] over the whole square."""
        import torch

        square = low.shape[-1]
        across, down = (max(1, round(square * side / self.model.side_px)) for side in self.size)
        width, height = self.depth_size
        large = torch.nn.functional.interpolate(
            low[..., :down, :across], size=(height, width), mode="bilinear", align_corners=False
        )
        return np.asarray((large > 0.0).cpu().numpy())


def load_model(
    weights: Path | None, *, device: Literal["auto", "cpu", "cuda"] = "auto", bfloat16: bool | None = None
) -> TorchSam:
    """Load a .pth of segment-anything or a folder of transformers; `bfloat16` None takes bfloat16 where it is faster.

    Raises `InputError` for what is neither, and for CUDA where there is none; `ModuleNotFoundError` without torch.
    """
    path = downloaded_weights(DEFAULT_MODEL) if weights is None else weights
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device", expected="one that PyTorch sees", hint="Leave the device at `auto`.")
    device_name = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    network, stretched = _from_folder(path) if path.is_dir() else (_from_checkpoint(path), False)
    return TorchSam(
        network=network.eval().to(device_name),
        side_px=int(network.config.prompt_encoder_config.image_size),
        stretched=stretched,
        device=device_name,
        bfloat16=_bf16_is_faster(device_name) if bfloat16 is None else bfloat16,
    )


def _from_checkpoint(path: Path) -> Any:
    """Return transformers' SamModel with the weights of a .pth of segment-anything; raises `InputError`."""
    import pickle

    import torch
    from transformers import SamConfig, SamModel

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise _weights_error(path, str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    if not isinstance(state, dict):
        raise _weights_error(path, f"a {type(state).__name__}")
    network = SamModel(SamConfig(**network_sizes(state)))
    load_result = network.load_state_dict(to_transformers_names(state), strict=False)
    mismatched = [*load_result.missing_keys, *load_result.unexpected_keys]
    if mismatched:
        raise _weights_error(path, f"{len(mismatched)} tensors missing or unknown, such as {mismatched[0]}")
    return network


def _from_folder(path: Path) -> tuple[Any, bool]:
    """Return SAM or SAM 2 from a folder that transformers saved, and whether it is SAM 2; raises `InputError`."""
    from transformers import Sam2Model, SamModel

    try:
        kind = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise _weights_error(path, "no config.json of transformers in it") from error
    model_classes = {"sam": SamModel, "sam2": Sam2Model, "sam2_video": Sam2Model}
    if kind not in model_classes:
        raise _weights_error(path, f"a model of type {kind!r}")
    try:
        network, loading_info = model_classes[kind].from_pretrained(
            path, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise _weights_error(path, str(error).splitlines()[0]) from error
    if loading_info["missing_keys"]:
        missing = sorted(loading_info["missing_keys"])
        raise _weights_error(path, f"{len(missing)} tensors missing, such as {missing[0]}")
    return network, kind != "sam"


def _weights_error(path: Path, why: str) -> InputError:
    return InputError(
        f"{path.name}: {why}",
        expected="a checkpoint of segment-anything (.pth), or a folder of SAM or SAM 2 that transformers saved",
        hint="Type `cousins models get sam-vit-b`, or give the path of another one: --segmenter sam:PATH.",
    )


def _preprocess(picture: Array, size: tuple[int, int], side_px: int) -> Array:
    """Return an image uint8 [h, w, 3] as the network takes it, float32 [3, side, side]: resized, normalised, padded."""
    resized = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    square = np.zeros((side_px, side_px, 3), dtype=np.float32)
    square[: size[1], : size[0]] = (np.asarray(resized, dtype=np.float32) / 255.0 - PIXEL_MEAN) / PIXEL_STD
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def _bf16_is_faster(device: str) -> bool:
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and BF16_CPU_FLAG in flags.read_text(encoding="utf-8")
