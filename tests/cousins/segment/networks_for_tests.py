"""Small networks with made weights, saved as the genuine ones are."""

from __future__ import annotations

import json
from pathlib import Path


def small_clip(folder: Path) -> None:
    """Save a small CLIP with made weights and a tokenizer of single letters in transformers' layout."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    letters = [chr(n) for n in range(33, 127)]
    words = ["!", *letters[1:], *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"vocab_size": len(words), "eos_token_id": len(words) - 1, "bos_token_id": len(words) - 2, **size}
    vision = {"image_size": 32, "patch_size": 8, **size}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
