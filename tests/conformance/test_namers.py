"""The law book of namers: every back-end that names segments in pictures keeps it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.plugins import backend_names, load_backend
from cousins.segment.labels import MaskedPicture, Namer
from tests.cousins.segment.networks_for_tests import small_clip

PACKAGE = "cousins.segment.namers"
NEEDS = {"yolox": ("names", "ncnn"), "clip": ("sam", "transformers")}


@pytest.fixture(scope="module", params=backend_names(PACKAGE))
def namer(
    request: pytest.FixtureRequest, shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Namer:
    extra, library = NEEDS[request.param]
    pytest.importorskip(library, reason=f"the extra `{extra}` is not installed")
    backend = load_backend(PACKAGE, request.param, kind="namer")
    if request.param == "yolox":
        folder = shared_data("weights/yolox_nano_ncnn")
    else:
        folder = tmp_path_factory.mktemp("clip")
        small_clip(folder)
    built: Namer = backend.build(backend.Config(weights=folder))
    return built


@st.composite
def views(draw: st.DrawFn) -> MaskedPicture:
    """Return pictures of any shape with segments anywhere in them, also at the edge and of one pixel."""
    height, width, scale = draw(st.integers(2, 24)), draw(st.integers(2, 24)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = []
    for _ in range(draw(st.integers(1, 3))):
        mask = np.zeros((height, width), dtype=bool)
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[top : draw(st.integers(top + 1, height)), left : draw(st.integers(left + 1, width))] = True
        masks.append(mask)
    picture = rng.integers(0, 256, (height * scale, width * scale, 3), dtype=np.uint8)
    return MaskedPicture(picture=picture, masks=tuple(masks))


@settings(deadline=None, max_examples=15)
@given(view=views())
def test_each_thing_gets_words_with_scores_from_0_to_1_and_the_same_again(namer: Namer, view: MaskedPicture) -> None:
    guesses = namer.guess(view)
    assert len(guesses) == len(view.masks)
    for guess in guesses:
        assert all(isinstance(word, str) and word.strip() for word in guess)
        assert all(isinstance(score, float) and 0.0 <= score <= 1.0 for score in guess.values())
    assert [dict(guess) for guess in namer.guess(view)] == [dict(guess) for guess in guesses]


def test_it_has_its_name_and_a_score_threshold(namer: Namer) -> None:
    assert namer.source in backend_names(PACKAGE)
    assert 0.0 < namer.min_score < 1.0
