"""SAM from the genuine layouts of checkpoints, on small networks with made weights.

`data/sam_small.json` holds the names and shapes of a small network of Meta's segment-anything 1.0 and what that
package itself answers with the weights that `weight` makes: the same weights must answer the same here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Frame
from cousins.errors import InputError
from cousins.geometry import Array, Intrinsics
from cousins.segment.prompted.checkpoints import network_sizes
from cousins.segment.prompted.prompts import Prompts

torch = pytest.importorskip("torch", reason="the extra `sam` is not installed")
transformers = pytest.importorskip("transformers", reason="the extra `sam` is not installed")

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "data/sam_small.json").read_text())
PICTURE = np.stack([2 * np.mgrid[:96, :128][1], 2 * np.mgrid[:96, :128][0], np.mgrid[:96, :128].sum(axis=0)], axis=-1)


def weight(name: str, shape: list[int]) -> Array:
    seed = sum(ord(letter) * (place + 1) for place, letter in enumerate(name)) % 2**32
    noise = np.random.RandomState(seed).standard_normal(shape)
    if "norm" in name or name.endswith((".neck.1.weight", ".neck.3.weight")):
        noise = name.endswith("weight") + 0.1 * noise
    elif name.endswith("bias"):
        noise = 0.1 * noise
    elif len(shape) > 1 and "embed" not in name and "token" not in name:
        noise = noise * 1.5 / np.sqrt(np.prod(shape[1:]))
    return noise.astype(np.float32)


def small_state() -> dict[str, Any]:
    return {name: torch.from_numpy(weight(name, shape)) for name, shape in GOLDEN["shapes"].items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "sam_small.pth"
    torch.save(small_state(), path)
    return path


def frame(folder: Path, *, depth: tuple[int, int] = (48, 64)) -> Frame:
    Image.fromarray(PICTURE.astype(np.uint8)).save(folder / "0.png")
    camera = Intrinsics(width=depth[1], height=depth[0], fx=50.0, fy=50.0, cx=31.5, cy=23.5)
    return Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=np.eye(4),
        depth_camera=camera,
        depth_m=np.ones(depth, dtype=np.float32),
        confidence=np.full(depth, 2, dtype=np.uint8),
        color_camera=camera.scaled(128, 96),
        color_path=folder / "0.png",
    )


def load(path: Path, **options: Any) -> Any:
    from cousins.segment.prompted.torch_sam import load_model

    return load_model(path, device="cpu", bfloat16=False, **options)


def test_a_checkpoint_of_segment_anything_answers_as_that_package_does(checkpoint: Path, tmp_path: Path) -> None:
    model = load(checkpoint)
    encoded = model.encode(frame(tmp_path))
    features = encoded.features[0, :4, ::2, ::3].numpy()
    assert features == pytest.approx(np.array(GOLDEN["embedding"]), abs=2e-4)
    inputs = {
        "input_points": torch.tensor([[[[40.0, 30.0]], [[100.0, 80.0]]]]),
        "input_labels": torch.ones(1, 2, 1, dtype=torch.int),
    }
    boxes = (None, torch.tensor([[[20.0, 10.0, 90.0, 70.0], [5.0, 5.0, 60.0, 90.0]]]))
    for box, answer in zip(boxes, GOLDEN["answers"], strict=True):
        with torch.inference_mode():
            outputs = model.network(image_embeddings=encoded.features, input_boxes=box, **inputs)
        assert outputs.iou_scores[0].numpy() == pytest.approx(np.array(answer["scores"]), abs=1e-3)
        assert outputs.pred_masks[0, :, :, 3::7, 2::9].numpy() == pytest.approx(np.array(answer["logits"]), abs=2e-3)


def test_masks_come_at_the_depth_images_size_for_points_in_its_pixels(checkpoint: Path, tmp_path: Path) -> None:
    encoded = load(checkpoint).encode(frame(tmp_path, depth=(24, 32)))
    color_px = np.array([[[40.0, 30.0]], [[100.0, 80.0]]])
    answers = encoded.predict(Prompts(points=(color_px + 0.5) / 4.0 - 0.5))
    assert answers.masks.shape == (2, 3, 24, 32)
    assert answers.masks.dtype == np.bool_
    logits = np.array(GOLDEN["answers"][0]["logits"])
    assert np.array_equal(answers.masks[:, :, 3::7, 2::9], logits[:, :, :3] > 0.0)


@pytest.mark.parametrize(("letter", "hidden", "layers", "heads", "global_blocks"), [
    ("b", 768, 12, 12, [2, 5, 8, 11]),
    ("l", 1024, 24, 16, [5, 11, 17, 23]),
    ("h", 1280, 32, 16, [7, 15, 23, 31]),
])  # fmt: skip
def test_the_sizes_of_all_three_published_networks_follow_from_shapes(
    letter: str, hidden: int, layers: int, heads: int, global_blocks: list[int]
) -> None:
    shapes = {name: list(shape) for name, shape in GOLDEN["shapes"].items() if not name.startswith("image_encoder.bl")}
    shapes["image_encoder.pos_embed"] = [1, 64, 64, hidden]
    shapes["image_encoder.patch_embed.proj.weight"] = [hidden, 3, 16, 16]
    shapes["image_encoder.blocks.0.mlp.lin1.weight"] = [4 * hidden, hidden]
    for n in range(layers):
        shapes[f"image_encoder.blocks.{n}.attn.rel_pos_h"] = [127 if n in global_blocks else 27, hidden // heads]
    vision = network_sizes({name: np.empty(shape, dtype=np.int8) for name, shape in shapes.items()})["vision_config"]
    assert (vision["hidden_size"], vision["num_hidden_layers"], vision["num_attention_heads"]) == (
        hidden,
        layers,
        heads,
    )
    assert (vision["global_attn_indexes"], vision["window_size"], vision["image_size"]) == (global_blocks, 14, 1024)
    assert letter in "blh"


def test_a_checkpoint_that_lacks_a_tensor_is_refused_with_its_name(tmp_path: Path) -> None:
    state = small_state()
    del state["mask_decoder.iou_token.weight"]
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(InputError, match=r"1 tensors missing or unknown, such as mask_decoder\.iou_token\.weight"):
        load(tmp_path / "broken.pth")


def test_other_files_are_refused_with_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match="cousins models get sam-vit-b"):
        load(tmp_path / "text.pth")
    torch.save({"epoch": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="without the tensors of segment-anything"):
        load(tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"no config\.json of transformers"):
        load(tmp_path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "trap.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=r"trap\.pth"):
        load(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    config = Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 16,
                "num_attention_heads": 1,
                "image_size": [64, 64],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [16, 32, 64, 128],
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4, 2, 2, 2],
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 8, "iou_head_hidden_dim": 32},
    )
    folder = tmp_path_factory.mktemp("sam2") / "small"
    Sam2Model(config).save_pretrained(folder)
    return folder


def test_a_folder_of_sam_2_is_loaded_and_answers(sam2: Path, tmp_path: Path) -> None:
    model = load(sam2)
    assert model.stretched
    encoded = model.encode(frame(tmp_path))
    points = np.array([[[10.0, 10.0]], [[40.0, 30.0]]])
    bare = encoded.predict(Prompts(points=points))
    boxed = encoded.predict(Prompts(points=points, boxes=np.array([[5.0, 5.0, 20.0, 20.0], [30.0, 20.0, 50.0, 40.0]])))
    assert bare.masks.shape == boxed.masks.shape == (2, 3, 48, 64)
    assert not np.array_equal(bare.scores, boxed.scores)
    assert np.array_equal(bare.scores, encoded.predict(Prompts(points=points)).scores)


def test_bfloat16_answers_nearly_as_float32(checkpoint: Path, tmp_path: Path) -> None:
    from cousins.segment.prompted.torch_sam import load_model

    prompts = Prompts(points=np.array([[[19.5, 14.5]], [[49.5, 39.5]]]))
    full, half = (
        load_model(checkpoint, device="cpu", bfloat16=h).encode(frame(tmp_path)).predict(prompts) for h in (False, True)
    )
    assert (full.masks == half.masks).mean() > 0.95


def test_the_whole_segmenter_runs_on_a_checkpoint(
    checkpoint: Path, scene_builder: SimpleNamespace, tmp_path: Path
) -> None:
    """With random weights the masks are arbitrary; the result must keep its form, and every mask its frame's size."""
    from cousins.segment.backends.sam import Config, build

    capture, _ = scene_builder.film(
        [scene_builder.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], scene_builder.views(6), noise=0.002
    )
    Image.fromarray(PICTURE.astype(np.uint8)).save(tmp_path / "picture.png")
    frames = tuple(
        replace(each, color_camera=each.depth_camera, color_path=tmp_path / "picture.png") for each in capture.frames
    )
    sam = build(Config(weights=checkpoint, device="cpu", max_keyframes=3))
    once, again = (sam.segment(replace(capture, frames=frames), rng=np.random.default_rng(0)) for _ in range(2))
    assert [plane.kind for plane in once.planes] == ["table"]
    assert [segment.name for segment in once.segments] == [segment.name for segment in again.segments]
    for first, second in zip(once.segments, again.segments, strict=True):
        assert np.array_equal(first.points, second.points)
        assert {mask.shape for mask in first.masks.values()} <= {(192, 256)}


def test_cuda_is_refused_where_there_is_none(checkpoint: Path) -> None:
    from cousins.segment.prompted.torch_sam import load_model

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match="no CUDA device"):
        load_model(checkpoint, device="cuda")
