"""The end of the demo: pack, policy and table beside the scene, made once, or a word why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cousins.scene.layout.relations import find_relations
from cousins.scene.scene_folder import write_scene
from cousins.store import Store
from flows.execution.code_version import code_version
from flows.execution.executor import Desk, Options, Reference, Stage
from flows.pipeline import first_policy as module
from flows.pipeline.first_policy import SPLITS, first_policy, told_policy
from sim.physics.simple_assets import place, scene_of, slab
from tests.cousins.scene.scenes_for_tests import box_asset


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    top = 0.7
    found = scene_of(
        place(box_asset("box", (0.07, 0.06, 0.05)), 0.0, 0.0, top + 0.02501),
        place(box_asset("brick", (0.1, 0.1, 0.04)), 0.0, 0.35, top + 0.02001),
        structures=(slab("table", size_m=(1.2, 1.2, 0.05), top_m=top),),
        name="tiny",
    )
    write_scene(replace(found, relations=find_relations(found)), tmp_path / "scene")
    return tmp_path / "scene"


def test_a_demo_ends_with_a_policy_and_its_table_and_makes_them_once(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stable_baselines3")
    for name, small in (("COUNT", 6), ("STEPS", 2048), ("EPISODES", 3)):
        monkeypatch.setattr(module, name, small)
    reused: list[bool] = []

    def tell(stage: Stage, reference: Reference | None) -> None:
        if reference is not None:
            reused.append(reference.reused)

    desk = Desk(store=Store(tmp_path / "store"), options=Options(), tell=tell)
    found = first_policy(desk, scene)
    assert list(found["splits"]) == list(SPLITS)
    assert found["splits"]["twin"]["success_at_end"]["n"] == 3
    assert found["steps"] >= 2048
    assert {path.name for path in (scene / "policy").iterdir()} == {
        "policy.json",
        "policy.safetensors",
        "evaluation.json",
    }
    assert (scene / "pack/pack.json").is_file()
    assert json.loads((scene / "policy/evaluation.json").read_text())["splits"] == found["splits"]
    words = "\n".join(told_policy(found))
    assert "of 3" in words
    assert "heldout_far" in words
    for name in ("pack", "policy"):
        (scene / name).rename(tmp_path / name)
    again = first_policy(desk, scene)
    assert reused == [False] * 3 + [True] * 3
    assert again["splits"] == found["splits"]
    assert (found["made"], again["made"]) == (["vary", "learn", "try"], [])
    assert "made before" in told_policy(again)[0]


def test_without_its_libraries_the_end_is_left_out_and_told(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MODULES", ("json", "no_such_library"))
    before = sorted(scene.iterdir())
    found = first_policy(Desk(store=Store(tmp_path / "store"), options=Options()), scene)
    assert found == {"skipped": "no_such_library not installed: pip install 'cousins[rl]'"}
    assert "pip install 'cousins[rl]'" in told_policy(found)[0]
    assert sorted(scene.iterdir()) == before


def test_where_nothing_can_be_pushed_the_reason_is_told(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stable_baselines3")
    monkeypatch.setattr(module, "COUNT", 1)
    monkeypatch.setattr(module, "TASK", "open_door")
    found = first_policy(Desk(store=Store(tmp_path / "store"), options=Options()), scene)
    assert "none of which affords open_door" in found["skipped"]
    assert not (scene / "pack").exists()


def test_a_policy_is_stale_when_the_code_of_learning_changes_and_a_scan_is_not() -> None:
    assert len({code_version("sim"), code_version("learning"), code_version("pack")}) == 3
