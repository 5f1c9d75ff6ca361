"""What hangs is no failure of standing, but it must have its wall behind it; settling leaves it where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import rigid
from cousins.scene.layout.hanging import hang_objects, layout_scan_hanging
from cousins.scene.scenes import Scene
from sim.validation.gates import run_gates
from sim.validation.settle import settle
from tests.cousins.scene.test_hanging import hanging_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return hang_objects(hanging_scene(), config=layout_scan_hanging())[0]


def test_settling_leaves_it_where_it_hangs_and_does_not_call_it_fallen(scene: Scene) -> None:
    settled = settle(scene)
    rests = {rest.name: rest for rest in settled.rests}
    assert not rests["tv"].fallen
    assert rests["tv"].moved_m == 0.0
    np.testing.assert_array_equal(settled.scene.objects[0].world_from_asset, scene.objects[0].world_from_asset)
    assert settled.scene.relations == scene.relations
    assert settled.scene.fallbacks == ()


def test_gates_list_it_apart_from_what_was_fixed_because_it_fell(scene: Scene) -> None:
    report = run_gates(scene, engines=["mujoco"])
    assert report.passed, report.failures
    assert (report.hanging, report.fixed) == ({"tv": "wall_0"}, ())
    assert report.engines[0].stable_fraction == 1.0
    assert report.to_json()["hanging"] == {"tv": "wall_0"}
    (attachment,) = (result for result in report.results if result.gate == "attachment")
    assert (attachment.subject, attachment.value) == ("tv", pytest.approx(10.0, abs=1e-6))


def test_the_attachment_gate_fails_where_the_wall_is_not_behind_it(scene: Scene) -> None:
    television, crate = scene.objects
    for shift in ((3.0, 0.0, 0.0), (0.0, -0.5, 0.0)):
        pose = rigid(translation=np.array(shift)) @ television.world_from_asset
        away = replace(scene, objects=(replace(television, world_from_asset=pose), crate))
        report = run_gates(away, engines=["mujoco"])
        assert [(result.gate, result.subject) for result in report.failures] == [("attachment", "tv")]
