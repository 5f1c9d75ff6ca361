"""Options of environments that cannot work are errors before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cousins.errors import InputError
from cousins.pack.transfer.pull import open_pack
from sim.envs.env import CousinsEnv
from sim.envs.make_env import make_env, resolve_source
from tests.cousins.pack.packs_for_tests import small_pack


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder, count=6)
    return folder


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_envs": 0}, "num_envs=0"),
        ({"num_envs": True}, "num_envs=True"),
        ({"control_hz": 0.0}, "control_hz=0.0"),
        ({"control_hz": float("nan")}, "control_hz=nan"),
        ({"control_hz": -20.0}, "control_hz=-20.0"),
        ({"hold_s": float("inf")}, "hold_s=inf"),
        ({"split": ["train", "test"]}, "split 'test'"),
        ({"split": [1, "train"]}, r"split \"\[1, 'train'\]\""),
        ({"pack": ["a", "b"]}, "2 packs"),
        ({"task_options": {"horizn_s": 3.0}}, r"an option 'horizn_s' of the task push.*Did you mean 'horizon_s'"),
        ({"engine_options": {"tempo": 2}}, "an option 'tempo' of the engine mujoco"),
        ({"robot": {"latensy_steps": 2}}, "an option 'latensy_steps' of robots"),
    ],
)
def test_options_that_cannot_work_are_errors(options: dict[str, Any], words: str, pack_folder: Path) -> None:
    with pytest.raises(InputError, match=words):
        make_env(**({"pack": pack_folder} | options))


def test_an_unknown_option_and_a_render_mode_are_errors_of_a_single_environment(pack_folder: Path) -> None:
    with pytest.raises(InputError, match=r"an option 'splt' of environments.*Did you mean 'split'"):
        CousinsEnv(pack=pack_folder, splt="train")
    with pytest.raises(InputError, match=r"render_mode 'human'.*`cousins film`"):
        CousinsEnv(pack=pack_folder, render_mode="human")


def test_several_splits_are_their_union(pack_folder: Path) -> None:
    pack = open_pack(pack_folder)
    _, numbers = resolve_source(pack_folder, ["heldout_near", "train"])
    assert numbers == sorted([*pack.indices("train"), *pack.indices("heldout_near")])
