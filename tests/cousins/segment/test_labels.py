"""Names from several pictures: the `Namer` protocol, YOLOX on real pictures, CLIP on a small random network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Frame
from cousins.errors import InputError
from cousins.geometry import Array, Intrinsics
from cousins.plugins import backend_names
from cousins.segment.frame_masks import pack_masks
from cousins.segment.labels import MaskedPicture, consensus_label, name_segments, upright_picture
from cousins.segment.segments import Segment, Segmentation
from tests.cousins.segment.networks_for_tests import small_clip


@dataclass(frozen=True)
class Parrot:
    """A namer that gives the same names to the first segment in every picture."""

    words: Mapping[str, float]
    source: str = "parrot"
    min_score: float = 0.25

    def guess(self, view: MaskedPicture) -> Sequence[Mapping[str, float]]:
        return [self.words, *({} for _ in view.masks[1:])]


def test_the_namers_are_the_files_of_their_folder() -> None:
    assert backend_names("cousins.segment.namers") == ["clip", "yolox"]


def test_a_label_is_the_mean_over_views_and_silence_counts_zero() -> None:
    label = consensus_label(
        [{"chair": 0.8, "bench": 0.2}, {"bench": 0.5}, {}, {"chair": 0.8}], source="yolox", min_score=0.25
    )
    assert label is not None
    assert (label.text, label.source) == ("chair", "yolox")
    assert label.score == pytest.approx(0.4)
    assert consensus_label([{"chair": 0.8}, {}, {}, {}], source="yolox", min_score=0.25) is None
    assert consensus_label([], source="yolox", min_score=0.25) is None


def filmed(scene_builder: SimpleNamespace, folder: Path) -> tuple[object, Segmentation]:
    from dataclasses import replace

    boxes = [
        scene_builder.box((-0.15, -0.05, 0.0), (-0.05, 0.05, 0.1)),
        scene_builder.box((0.05, -0.05, 0.0), (0.15, 0.05, 0.1)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(4))
    Image.new("RGB", (512, 384), (90, 90, 90)).save(folder / "grey.png")
    camera = capture.frames[0].depth_camera.scaled(512, 384)
    frames = tuple(replace(frame, color_camera=camera, color_path=folder / "grey.png") for frame in capture.frames)
    segments = tuple(
        Segment(
            name=f"object_{n}", label="box", masks=pack_masks({k: image == n + 1 for k, image in enumerate(bodies)})
        )
        for n in (0, 1)
    )
    return replace(capture, frames=frames), Segmentation(planes=(), segments=segments)


def test_a_named_segment_has_score_and_source_and_another_keeps_its_label(
    scene_builder: SimpleNamespace, tmp_path: Path
) -> None:
    capture, segmentation = filmed(scene_builder, tmp_path)
    first, second = name_segments(capture, segmentation, Parrot({"mug": 0.6})).segments  # type: ignore[arg-type]
    assert (first.label, first.label_score, first.label_source) == ("mug", 0.6, "parrot")
    assert (second.label, second.label_source) == ("box", "geometry")


def test_without_colour_nothing_is_named_with_a_warning(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film(
        [scene_builder.box((-0.1, -0.1, 0.0), (0.1, 0.1, 0.1))], scene_builder.views(2)
    )
    segment = Segment(name="object_0", label="box", masks=pack_masks({k: image == 1 for k, image in enumerate(bodies)}))
    result = name_segments(capture, Segmentation(planes=(), segments=(segment,)), Parrot({"mug": 1.0}))
    assert result.segments[0].label == "box"
    assert result.warnings == ("no frame has a colour image, so that parrot names nothing",)


@pytest.mark.parametrize("up", ["left", "right", "down", "up"])
def test_pictures_are_turned_so_that_up_is_up(up: str) -> None:
    """The corner that lies at the top left of what a person would see is marked."""
    tops = {"up": (0, -1, 0), "down": (0, 1, 0), "left": (-1, 0, 0), "right": (1, 0, 0)}
    camera_up = np.array(tops[up], dtype=np.float64)
    forward = np.array([0.0, 0.0, 1.0])
    pose = np.eye(4)
    pose[2, :3], pose[0, :3] = camera_up, forward
    pose[1, :3] = np.cross(camera_up, forward)
    camera = Intrinsics(width=8, height=6, fx=8.0, fy=8.0, cx=3.5, cy=2.5)
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=pose,
        depth_camera=camera,
        depth_m=np.ones((6, 8), dtype=np.float32),
        confidence=np.full((6, 8), 2, dtype=np.uint8),
    )
    mask = np.zeros((6, 8), dtype=bool)
    picture = np.zeros((12, 16, 3), dtype=np.uint8)
    rows, columns = {"up": (0, 0), "down": (-1, -1), "left": (-1, 0), "right": (0, -1)}[up]
    mask[rows, columns], picture[rows, columns] = True, 255
    view = upright_picture(frame, picture, [mask])
    assert view.masks[0][0, 0]
    assert view.picture[0, 0].tolist() == [255, 255, 255]
    assert view.picture.shape[:2] == ((12, 16) if up in ("up", "down") else (16, 12))


def test_a_box_in_the_picture_covers_the_pixels_of_its_mask() -> None:
    mask = np.zeros((6, 8), dtype=bool)
    mask[1:3, 2:5] = True
    view = MaskedPicture(picture=np.zeros((60, 80, 3), dtype=np.uint8), masks=(mask,))
    assert view.box(0).tolist() == [20.0, 10.0, 50.0, 30.0]


def test_the_real_chair_is_called_a_chair(shared_data: Callable[[str], Path]) -> None:
    pytest.importorskip("ncnn", reason="the extra `backend_names` is not installed")
    from cousins.segment.namers.yolox import COCO_CLASSES, Config, build

    namer = build(Config(weights=shared_data("weights/yolox_nano_ncnn")))
    picture = np.asarray(Image.open(shared_data("captures/chair_3dscannerapp") / "frame_00036.jpg").convert("RGB"))
    detections = namer.detect(picture)
    best = int(np.argmax(detections.scores.max(axis=1)))
    assert COCO_CLASSES[int(detections.scores[best].argmax())] == "chair"
    assert detections.scores[best].max() > 0.7
    assert detections.boxes[best] == pytest.approx([549.0, 56.0, 1741.0, 1412.0], abs=20.0)


def test_other_descriptions_of_networks_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("ncnn", reason="the extra `backend_names` is not installed")
    from cousins.segment.namers.yolox import Config, build

    with pytest.raises(InputError, match=r"no yolox-nano\.param"):
        build(Config(weights=tmp_path))
    (tmp_path / "yolox-nano.param").write_text("7767517\n1 1\nInput in 0 1 in\n")
    (tmp_path / "yolox-nano.bin").write_bytes(b"")
    with pytest.raises(InputError, match="not YOLOX's for ncnn"):
        build(Config(weights=tmp_path))


def cut_views() -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (60, 80, 3), dtype=np.uint8) for _ in range(2)]


def test_clip_shares_its_belief_among_the_words(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the extra `sam` is not installed")
    from cousins.segment.namers.clip import Config, build

    small_clip(tmp_path)
    namer = build(Config(weights=tmp_path, words=("mug", "chair", "shoe"), device="cpu"))
    mask = np.zeros((6, 8), dtype=bool)
    mask[1:4, 2:6] = True
    first, second = (namer.guess(MaskedPicture(picture=picture, masks=(mask, ~mask))) for picture in cut_views())
    assert [sorted(guess) for guess in first] == [["chair", "mug", "shoe"]] * 2
    assert sum(first[0].values()) == pytest.approx(1.0, abs=1e-5)
    assert first[0] != first[1] != second[1]


def test_clip_without_its_files_names_the_command_to_type(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the extra `sam` is not installed")
    from cousins.segment.namers.clip import Config, build

    with pytest.raises(InputError, match="cousins models get clip-vit-b32"):
        build(Config(weights=tmp_path))
