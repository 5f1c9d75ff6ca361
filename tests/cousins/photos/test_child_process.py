"""A child process that fails is reported as that: which child, how it ended, and what to do."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from cousins.errors import StageError
from cousins.photos import structure_from_motion
from cousins.photos.child_process import ChildFailedError, run_child
from cousins.photos.pictures import Picture
from tests.cousins.photos.corner import jpeg

CRASHING = "tests.cousins.photos.crashing_worker"


@pytest.mark.parametrize(
    ("name", "ending", "advice"),
    [
        ("SIGSEGV", r"crashed with signal 11 \(SIGSEGV\)", "try again with fewer pictures, and report"),
        ("SIGKILL", r"crashed with signal 9 \(SIGKILL\)", "lack of memory"),
        ("SIGXCPU", r"crashed with signal 24 \(SIGXCPU\)", "limit of processor time"),
    ],
)
def test_a_signal_is_named_with_the_child_and_what_to_do(name: str, ending: str, advice: str) -> None:
    with pytest.raises(ChildFailedError, match=rf"the child process {CRASHING} {ending}") as failure:
        run_child(CRASHING, name.encode(), timeout_s=60.0)
    assert advice in failure.value.advice
    assert failure.value.output == b"partial"


def test_an_exit_code_comes_with_the_last_line_of_the_error() -> None:
    with pytest.raises(ChildFailedError, match=r"image_worker ended with exit code 1: .*JSONDecodeError"):
        run_child("cousins.photos.image_worker", b"no request\n", timeout_s=60.0)


def test_a_crash_of_structure_from_motion_is_no_advice_to_walk_around(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("pycolmap") is None:
        pytest.skip("the extra `photos` is not installed")
    monkeypatch.setattr(structure_from_motion, "WORKER", CRASHING)
    pixels = np.zeros((24, 32, 3), np.uint8)
    pictures = [Picture(jpeg=jpeg(pixels), width=32, height=24, focal_px=None)] * 3
    with pytest.raises(StageError, match=r"3 photos were not placed, because .* signal 11 \(SIGSEGV\)") as failure:
        structure_from_motion.estimate_camera_poses(pictures, ordered=False)
    assert "Walk around" not in str(failure.value)
