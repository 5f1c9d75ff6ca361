from __future__ import annotations

import numpy as np
import pytest

from cousins.segment.geometric_names import fit_upright_box, name_by_geometry


def test_an_upright_box_is_measured_in_any_turn() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.5, 0.5, size=(20000, 3)) * [0.3, 0.12, 0.2]
    turn = np.deg2rad(33.0)
    points[:, :2] = points[:, :2] @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    assert fit_upright_box(points).size_m == pytest.approx([0.3, 0.12, 0.2], abs=0.006)


def test_round_objects_are_named_cylinder() -> None:
    rng = np.random.default_rng(3)
    angle, height = rng.uniform(0.0, 2.0 * np.pi, 4000), rng.uniform(0.0, 0.12, 4000)
    wall = np.stack([0.035 * np.cos(angle), 0.035 * np.sin(angle), height], axis=1)
    radius = 0.035 * np.sqrt(rng.uniform(size=1000))
    lid = np.stack([radius * np.cos(angle[:1000]), radius * np.sin(angle[:1000]), np.full(1000, 0.12)], axis=1)
    assert name_by_geometry(np.concatenate([wall, lid])).text == "cylinder ø7×12 cm"
