"""The end of the demo: pack, policy and table beside the scene, made once, or a reason why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.scene.layout.relations import find_relations
from cousins.scene.scene_folder import write_scene
from cousins.store import Store
from flows.execution.code_version import code_version
from flows.execution.executor import StageExecutor
from flows.execution.stage import Reference, Stage
from flows.execution.stage_options import StageOptions
from flows.pipeline import first_policy as module
from flows.pipeline.first_policy import SPLITS, first_policy, format_policy
from sim.physics.simple_assets import make_scene, place, slab
from tests.cousins.scene.scenes_for_tests import box_asset


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    top = 0.7
    tiny_scene = make_scene(
        place(box_asset("box", (0.07, 0.06, 0.05)), 0.0, 0.0, top + 0.02501),
        place(box_asset("brick", (0.1, 0.1, 0.04)), 0.0, 0.35, top + 0.02001),
        structures=(slab("table", size_m=(1.2, 1.2, 0.05), top_m=top),),
        name="tiny",
    )
    write_scene(replace(tiny_scene, relations=find_relations(tiny_scene)), tmp_path / "scene")
    return tmp_path / "scene"


def test_a_demo_ends_with_a_policy_and_its_table_and_makes_them_once(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stable_baselines3")
    for name, small in (("COUNT", 6), ("STEPS", 2048), ("EPISODES", 3)):
        monkeypatch.setattr(module, name, small)
    reused: list[bool] = []

    def progress(stage: Stage[..., object], reference: Reference[object] | None, /) -> None:
        if reference is not None:
            reused.append(reference.reused)

    executor = StageExecutor(store=Store(tmp_path / "store"), options=StageOptions(), progress=progress)
    result = first_policy(executor, scene)
    assert list(result["splits"]) == list(SPLITS)
    assert result["splits"]["twin"]["success_at_end"]["n"] == 3
    assert result["steps"] >= 2048
    assert {path.name for path in (scene / "policy").iterdir()} == {
        "policy.json",
        "policy.safetensors",
        "evaluation.json",
    }
    assert (scene / "pack/pack.json").is_file()
    assert json.loads((scene / "policy/evaluation.json").read_text())["splits"] == result["splits"]
    words = "\n".join(format_policy(result))
    assert "of 3" in words
    assert "heldout_far" in words
    for name in ("pack", "policy"):
        (scene / name).rename(tmp_path / name)
    again = first_policy(executor, scene)
    assert reused == [False] * 3 + [True] * 3
    assert again["splits"] == result["splits"]
    assert (result["made"], again["made"]) == (["vary", "learn", "try"], [])
    assert "made before" in format_policy(again)[0]


def test_without_its_libraries_the_policy_is_skipped_with_a_reason(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MODULES", ("json", "no_such_library"))
    before = sorted(scene.iterdir())
    result = first_policy(StageExecutor(store=Store(tmp_path / "store"), options=StageOptions()), scene)
    assert result == {"skipped": "no_such_library not installed: pip install 'cousins[rl]'"}
    assert "pip install 'cousins[rl]'" in format_policy(result)[0]
    assert sorted(scene.iterdir()) == before


def test_without_a_feasible_task_the_policy_is_skipped_with_a_reason(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stable_baselines3")
    monkeypatch.setattr(module, "COUNT", 1)
    monkeypatch.setattr(module, "TASK", "open_door")
    result = first_policy(StageExecutor(store=Store(tmp_path / "store"), options=StageOptions()), scene)
    assert "none of which affords open_door" in result["skipped"]
    assert not (scene / "pack").exists()


def test_a_policy_is_stale_when_the_code_of_learning_changes_and_a_scan_is_not() -> None:
    assert len({code_version("sim"), code_version("learning"), code_version("pack")}) == 3
