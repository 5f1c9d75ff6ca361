"""`cousins assets add` on folders of other people: what can be read is added, what cannot is named with its reason."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from cousins.importers.mesh_worker import read_arrays
from flows.cli import run

Answer = tuple[int, dict[str, Any]]


def add(folder: Path, library: Path, *words: str) -> Answer:
    output = io.StringIO()
    code = run(
        ["assets", "add", str(folder), "--licence", "CC0-1.0", "--library", str(library), "--json", *words], output
    )
    return code, json.loads(output.getvalue())


def cabinet(folder: Path, *, scale: str = "1 1 1", look: str = "meshes/body.stl", millimetres: bool = False) -> Path:
    """A body and a door of two STL, as a URDF whose meshes lie in a ROS package."""
    (folder / "meshes").mkdir(parents=True)
    (folder / "urdf").mkdir()
    factor = 1000.0 if millimetres else 1.0
    trimesh.creation.box(np.array([0.4, 0.3, 0.5]) * factor).export(folder / "meshes/body.stl")
    trimesh.creation.box(np.array([0.4, 0.02, 0.5]) * factor).export(folder / "meshes/door.stl")

    def link(name: str, look_file: str) -> str:
        mesh = f'<geometry><mesh filename="package://{folder.name}/{{}}" scale="{scale}"/></geometry>'
        return (
            f'<link name="{name}"><visual>{mesh.format(look_file)}</visual>'
            f"<collision>{mesh.format(f'meshes/{name}.stl')}</collision></link>"
        )

    text = (
        f'<robot name="cabinet">{link("body", look)}{link("door", "meshes/door.stl")}'
        '<joint name="hinge" type="revolute"><parent link="body"/><child link="door"/>'
        '<origin xyz="0 -0.17 0"/><axis xyz="0 0 1"/><limit lower="0" upper="1.5"/></joint></robot>'
    )
    (folder / "urdf/cabinet.urdf").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("scale", "millimetres", "unit"), [("1 1 1", False, ()), ("0.001 0.001 0.001", True, ()), ("1 1 1", True, ("mm",))]
)
def test_a_urdf_with_collision_meshes_of_a_package_is_one_asset(
    tmp_path: Path, scale: str, unit: tuple[str, ...], *, millimetres: bool
) -> None:
    folder = cabinet(tmp_path / "shop", scale=scale, millimetres=millimetres)
    code, result = add(folder, tmp_path / "library", *(("--unit", *unit) if unit else ()))
    assert code == 0
    (row,) = result["added"]
    assert row["size_m"] == pytest.approx([0.4, 0.33, 0.5], abs=1e-6)
    assert (row["joints"], row["hulls"], row["warnings"]) == (1, 2, [])


def test_meshes_in_millimetres_beside_a_urdf_in_metres_are_refused_with_the_unit_to_type(tmp_path: Path) -> None:
    folder = cabinet(tmp_path / "shop", millimetres=True)
    code, result = add(folder, tmp_path / "library")
    assert code == 1
    assert result["added"] == []
    assert "--unit mm makes it 50 cm" in result["failed"][0]["why"]


def test_a_look_that_is_not_read_is_left_out_and_reported(tmp_path: Path) -> None:
    folder = cabinet(tmp_path / "shop", look="meshes/body.dae")
    (folder / "meshes/body.dae").write_text("<COLLADA/>")
    code, result = add(folder, tmp_path / "library")
    assert code == 0
    (row,) = result["added"]
    assert row["size_m"] == pytest.approx([0.4, 0.33, 0.5], abs=1e-6)
    assert "a look was left out, collision shapes are seen instead: a mesh 'body.dae'" in row["fallbacks"][0]


def test_the_meshes_of_a_urdf_that_is_refused_do_not_become_assets(tmp_path: Path) -> None:
    folder = cabinet(tmp_path / "shop")
    path = folder / "urdf/cabinet.urdf"
    path.write_text(path.read_text().replace("</robot>", '<link name="alone"/></robot>'))
    code, result = add(folder, tmp_path / "library")
    assert (code, result["added"]) == (1, [])
    assert "2 links without a parent in 'cabinet.urdf'" in result["failed"][0]["why"]


def kitchen(folder: Path, *, include: str = "parts/door.xml") -> Path:
    """A cabinet whose door and assets are included."""
    (folder / "parts").mkdir(parents=True)
    trimesh.creation.box((0.4, 0.02, 0.28)).export(folder / "parts/door.stl")
    body = f'<body name="carcass"><geom type="box" size="0.2 0.15 0.14"/><include file="{include}"/></body>'
    (folder / "cabinet.xml").write_text(
        f'<mujoco><include file="parts/assets.xml"/><worldbody>{body}</worldbody></mujoco>'
    )
    (folder / "parts/assets.xml").write_text(
        '<mujocoinclude><compiler angle="radian"/><asset><mesh name="door" file="parts/door.stl"/></asset>'
        "</mujocoinclude>"
    )
    (folder / "parts/door.xml").write_text(
        '<mujocoinclude><body name="door" pos="0 -0.17 0"><joint axis="0 0 1" range="0 1.5"/>'
        '<geom type="mesh" mesh="door"/></body></mujocoinclude>'
    )
    return folder


def test_an_mjcf_with_includes_is_one_asset(tmp_path: Path) -> None:
    code, result = add(kitchen(tmp_path / "shop"), tmp_path / "library")
    assert code == 0
    (row,) = result["added"]
    assert row["name"] == "shop/cabinet"
    assert row["size_m"] == pytest.approx([0.4, 0.33, 0.28], abs=1e-6)
    assert row["joints"] == 1


@pytest.mark.parametrize("include", ["../outside.xml", "parts/gone.xml", "cabinet.xml"])
def test_an_include_that_leads_out_is_absent_or_runs_in_a_circle_is_named(tmp_path: Path, include: str) -> None:
    (tmp_path / "outside.xml").write_text("<mujocoinclude/>")
    code, result = add(kitchen(tmp_path / "shop", include=include), tmp_path / "library")
    assert (code, result["added"]) == (1, [])
    (failed,) = result["failed"]
    assert include in failed["why"]
    assert Path(failed["file"]).name == "cabinet.xml"


def test_a_scene_of_several_things_is_refused_by_their_names(tmp_path: Path) -> None:
    geom = '<geom type="box" size="0.1 0.1 0.1"/>'
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/room.xml").write_text(
        f'<mujoco><worldbody><body name="sink">{geom}</body><body name="stove">{geom}</body></worldbody></mujoco>'
    )
    code, result = add(tmp_path / "shop", tmp_path / "library")
    assert code == 1
    assert "2 bodies in the world: 'sink', 'stove' in 'room.xml'" in result["failed"][0]["why"]
    assert "give each body of the world an MJCF of its own" in result["failed"][0]["why"]


def test_our_own_fault_with_one_file_is_reported_and_the_rest_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    for name in ("a", "b"):
        trimesh.creation.box((0.1, 0.1, 0.1)).export(tmp_path / f"shop/{name}.stl")
    from cousins.importers import library

    genuine = library.measure_affordances
    monkeypatch.setattr(library, "measure_affordances", lambda asset: 1 / 0 if asset.name == "a" else genuine(asset))
    code, result = add(tmp_path / "shop", tmp_path / "library")
    assert code == 1
    assert [row["name"] for row in result["added"]] == ["shop/b"]
    (failed,) = result["failed"]
    assert Path(failed["file"]).name == "a.stl"
    assert "a bug in cousins (ZeroDivisionError" in failed["why"]


def test_a_changed_mesh_of_a_urdf_makes_a_new_asset(tmp_path: Path) -> None:
    folder = cabinet(tmp_path / "shop")
    assert add(folder, tmp_path / "library")[1]["reused"] == 0
    assert add(folder, tmp_path / "library")[1]["reused"] == 1
    trimesh.creation.box((0.4, 0.3, 0.6)).export(folder / "meshes/body.stl")
    assert add(folder, tmp_path / "library")[1]["added"][0]["size_m"][2] == pytest.approx(0.6)


def test_colours_of_materials_without_pictures_are_read(tmp_path: Path) -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    material = trimesh.visual.material.SimpleMaterial(diffuse=[255, 0, 0, 255])
    box.visual = trimesh.visual.TextureVisuals(uv=np.zeros((8, 2)), material=material)
    box.export(tmp_path / "red.obj")
    np.testing.assert_array_equal(np.unique(read_arrays(tmp_path / "red.obj")["colors"], axis=0), [[255, 0, 0]])
    painted = trimesh.creation.box((0.1, 0.1, 0.1)).apply_translation([0.3, 0.0, 0.0])
    picture = Image.fromarray(np.full((8, 8, 3), (0, 0, 200), np.uint8))
    painted.visual = trimesh.visual.TextureVisuals(
        uv=np.full((8, 2), 0.5), material=trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
    )
    trimesh.Scene([box, painted]).export(tmp_path / "two.glb")
    arrays = read_arrays(tmp_path / "two.glb")
    height, width = arrays["texture"].shape[:2]
    rows = np.clip(((1.0 - arrays["uv"][:, 1]) * height).astype(int), 0, height - 1)
    columns = np.clip((arrays["uv"][:, 0] * width).astype(int), 0, width - 1)
    pixel_colors = np.unique(arrays["texture"][rows, columns], axis=0).tolist()
    assert sorted(pixel_colors) == [[0, 0, 200], [255, 0, 0]]


CASES = {
    "urdf/mm_package": (0.2, 0.12, 0.03),
    "urdf/mirrored": (0.2, 0.12, 0.03),
    "urdf/mirrored_wedge": (0.2, 0.12, 0.036),
    "urdf/continuous_nolimit": (0.2, 0.12, 0.03),
    "urdf/revolute_nolimit": (0.2, 0.12, 0.03),
    "urdf/zero_mass": (0.2, 0.12, 0.03),
    "urdf/dummy_root": (0.2, 0.12, 0.03),
    "urdf/dae_visual": (0.2, 0.12, 0.03),
    "urdf/prim_only": (0.2, 0.12, 0.03),
    "mjcf_mesh": (0.2, 0.12, 0.03),
    "mjcf_include": (0.4, 0.31, 0.3),
    "obj_uv_no_image": (0.1, 0.1, 0.1),
    "obj_uv_no_mtl": (0.1, 0.1, 0.1),
}
"""Folders of cases and the size of the asset in them [m]."""


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_case_becomes_one_asset_of_its_size(shared_data: Callable[[str], Path], tmp_path: Path, case: str) -> None:
    code, result = add(shared_data("cases") / case, tmp_path / "library")
    assert code == 0
    (row,) = result["added"]
    assert row["size_m"] == pytest.approx(CASES[case], abs=1e-3)
    assert row["joints"] == (0 if case.startswith("obj") else 1)
    assert ("the joint 'hinge' has no limits, so that it cannot move" in row["fallbacks"]) == (
        case == "urdf/revolute_nolimit"
    )


def test_the_case_of_a_nut_in_millimetres(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    code, result = add(shared_data("cases") / "mm_stl", tmp_path / "library", "--unit", "mm")
    assert code == 0
    assert [max(row["size_m"]) for row in result["added"]] == pytest.approx([0.06, 0.012], abs=1e-3)
