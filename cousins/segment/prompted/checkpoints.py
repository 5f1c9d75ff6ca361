"""Checkpoints of segment-anything 1.0 (.pth) read for transformers' SamModel: names of tensors, and sizes from shapes.

Meta's package cannot be imported without torchvision; transformers holds the same network under other names. ViT-B, L
and H differ in sizes alone, and each size is the shape of some tensor, so no name of a variant is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cousins.errors import InputError

NAME_REPLACEMENTS = (
    ("mask_decoder.output_upscaling.0", "mask_decoder.upscale_conv1"),
    ("mask_decoder.output_upscaling.1", "mask_decoder.upscale_layer_norm"),
    ("mask_decoder.output_upscaling.3", "mask_decoder.upscale_conv2"),
    ("mask_downscaling.0", "mask_embed.conv1"),
    ("mask_downscaling.1", "mask_embed.layer_norm1"),
    ("mask_downscaling.3", "mask_embed.conv2"),
    ("mask_downscaling.4", "mask_embed.layer_norm2"),
    ("mask_downscaling.6", "mask_embed.conv3"),
    ("point_embeddings", "point_embed"),
    ("pe_layer.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    ("image_encoder", "vision_encoder"),
    ("neck.0", "neck.conv1"),
    ("neck.1", "neck.layer_norm1"),
    ("neck.2", "neck.conv2"),
    ("neck.3", "neck.layer_norm2"),
    ("patch_embed.proj", "patch_embed.projection"),
    (".norm_final_attn", ".layer_norm_final_attn"),
    (".norm", ".layer_norm"),
    (".blocks.", ".layers."),
)
"""Parts of names in segment-anything and in transformers, replaced in this order."""
HEAD_LAYER_PATTERN = re.compile(r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.([012])\.")
"""Multilayer perceptrons of three layers, which transformers names in, hidden and out."""
HEAD_LAYERS = ("proj_in", "layers.0", "proj_out")
UNUSED_TENSORS = ("pixel_mean", "pixel_std")
"""Constants that some checkpoints hold beside the weights."""
SHARED_EMBEDDING = "prompt_encoder.shared_embedding.positional_embedding"
"""Stored twice by transformers, in the prompt encoder and in the model."""
DECODER_HEADS = 8
"""Attention heads of the mask decoder in every published SAM; no tensor's shape contains them."""


def to_transformers_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors under the names of transformers' SamModel."""
    named = {_translated_name(name): tensor for name, tensor in state.items() if name not in UNUSED_TENSORS}
    if SHARED_EMBEDDING in named:
        named["shared_image_embedding.positional_embedding"] = named[SHARED_EMBEDDING]
    return named


def network_sizes(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sizes of a network as the three parts of transformers' SamConfig; raises `InputError`."""
    try:
        return _sizes_from_shapes({name: tuple(tensor.shape) for name, tensor in state.items()})
    except (KeyError, IndexError, AttributeError) as error:
        raise InputError(
            f"a file without the tensors of segment-anything ({len(state)} entries, such as {sorted(state)[:2]})",
            expected="a checkpoint such as sam_vit_b_01ec64.pth, or a folder that transformers saved",
            hint="Type `cousins models get sam-vit-b`, or give the path of another one.",
        ) from error


def _sizes_from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, Any]]:
    _, grid, _, hidden = shapes["image_encoder.pos_embed"]
    patch = shapes["image_encoder.patch_embed.proj.weight"][2]
    bands = [
        shapes[f"image_encoder.blocks.{n}.attn.rel_pos_h"] for n in range(_count_layers(shapes, "image_encoder.blocks"))
    ]
    windows = [(rows + 1) // 2 for rows, _ in bands if rows != 2 * grid - 1]
    channels = shapes["image_encoder.neck.0.weight"][0]
    tokens, width = shapes["mask_decoder.mask_tokens.weight"]
    vision = {
        "hidden_size": hidden,
        "num_hidden_layers": len(bands),
        "num_attention_heads": hidden // bands[0][1],
        "image_size": grid * patch,
        "patch_size": patch,
        "output_channels": channels,
        "mlp_dim": shapes["image_encoder.blocks.0.mlp.lin1.weight"][0],
        "global_attn_indexes": [n for n, (rows, _) in enumerate(bands) if rows == 2 * grid - 1],
        "window_size": windows[0] if windows else 0,
        "num_pos_feats": shapes["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"][1],
    }
    prompt = {
        "hidden_size": channels,
        "image_size": grid * patch,
        "patch_size": patch,
        "mask_input_channels": shapes["prompt_encoder.mask_downscaling.3.weight"][0],
    }
    decoder = {
        "hidden_size": width,
        "mlp_dim": shapes["mask_decoder.transformer.layers.0.mlp.lin1.weight"][0],
        "num_hidden_layers": _count_layers(shapes, "mask_decoder.transformer.layers"),
        "num_attention_heads": DECODER_HEADS,
        "attention_downsample_rate": width
        // shapes["mask_decoder.transformer.final_attn_token_to_image.q_proj.weight"][0],
        "num_multimask_outputs": tokens - 1,
        "iou_head_hidden_dim": shapes["mask_decoder.iou_prediction_head.layers.0.weight"][0],
    }
    return {"vision_config": vision, "prompt_encoder_config": prompt, "mask_decoder_config": decoder}


def _translated_name(name: str) -> str:
    name = HEAD_LAYER_PATTERN.sub(lambda match: f"{match[1]}.{HEAD_LAYERS[int(match[2])]}.", name)
    for old_part, new_part in NAME_REPLACEMENTS:
        name = name.replace(old_part, new_part)
    return name


def _count_layers(shapes: Mapping[str, tuple[int, ...]], stem: str) -> int:
    layers = {int(rest[1]) for name in shapes if (rest := re.match(re.escape(stem) + r"\.(\d+)\.", name))}
    return len(layers)
