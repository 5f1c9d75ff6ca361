"""Jointed things from URDF and MJCF: what this project writes comes back, what strangers write is read or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cousins.affordances import measure_affordances, missing_affordances
from cousins.affordances.hulls import link_poses
from cousins.errors import CaptureError, CousinsError
from cousins.geometry import rotation_about
from cousins.importers.articulated import articulated_asset, read_articulation
from cousins.importers.library import find_asset_files
from cousins.importers.msh import read_msh
from cousins.importers.urdf import read_urdf
from cousins.reconstruct.assets import Asset
from cousins.scene.robot_formats.urdf_writer import write_urdf
from sim.physics.simple_assets import make_scene, place
from tests.cousins.affordances.shapes import cabinet

LIBERO = Path(__file__).parents[4] / "shared/data/articulated/libero"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Asset]:
    folder = tmp_path_factory.mktemp("cabinet")
    asset = cabinet()
    write_urdf(make_scene(place(asset, 0.0, 0.0, 0.3)), folder)
    return folder, asset


def test_a_urdf_of_ours_comes_back_with_pieces_joints_and_affordances(written: tuple[Path, Asset]) -> None:
    folder, asset = written
    path = folder / "assets" / "cabinet" / "asset.urdf"
    again = articulated_asset(path, root=folder, name="again", label="cabinet")
    first, second = measure_affordances(asset), measure_affordances(again)
    np.testing.assert_allclose(second.size_m, first.size_m, atol=2e-6)
    assert len(again.links) == 2
    assert sum(len(link.pieces) for link in again.links) == sum(len(link.pieces) for link in asset.links)
    assert missing_affordances(first, second) == ()
    assert missing_affordances(second, first) == ()
    (joint,) = again.joints
    np.testing.assert_allclose(joint.axis, [0.0, 0.0, -1.0], atol=1e-9)
    assert (joint.lower, joint.upper) == (0.0, 1.6)
    assert again.material == "furniture"


MJCF = """<mujoco><compiler angle="degree" eulerseq="xyz"/>
<default><geom contype="1"/><default class="look"><geom contype="0" conaffinity="0"/></default></default>
<worldbody><body name="crate" pos="1 2 3" euler="0 0 90"><freejoint/>
 <geom type="box" size="0.2 0.1 0.01" pos="0 0 0.01"/><geom class="look" type="sphere" size="0.3"/>
 <body name="lid" pos="0 0.1 0.2">
  <joint name="hinge" axis="2 0 0" pos="0 0.02 0" range="0 90" damping="0.5"/>
  <geom type="box" size="0.2 0.1 0.005" pos="0 -0.1 0"/>
  <body name="knob" pos="0 -0.1 0.02" quat="0 1 0 0"><geom type="cylinder" size="0.02 0.02"/></body>
 </body></body></worldbody></mujoco>"""


def test_mjcf_angles_classes_pivots_and_fixed_bodies_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "crate.xml"
    path.write_text(MJCF)
    asset = articulated_asset(path, root=tmp_path, name="crate", label="wooden crate")
    assert [link.name for link in asset.links] == ["crate", "lid"]
    assert [len(link.pieces) for link in asset.links] == [1, 2]
    (joint,) = asset.joints
    assert joint.upper == pytest.approx(np.pi / 2)
    assert joint.damping == 0.5
    np.testing.assert_allclose(asset.size_m, [0.2, 0.4, 0.24], atol=1e-9)
    turned = rotation_about(np.array([0.0, 0.0, 1.0]), np.pi / 2)
    np.testing.assert_allclose(measure_affordances(asset).joints[0].axis, turned @ [1.0, 0.0, 0.0], atol=1e-9)
    low = min(piece.mesh.vertices[:, 2].min() for piece in asset.links[0].pieces)
    assert joint.parent_from_child[2, 3] - low == pytest.approx(0.2)
    lid = asset.links[1].pieces[0].mesh.vertices
    np.testing.assert_allclose([lid[:, 1].min(), lid[:, 1].max()], [-0.22, -0.02], atol=1e-9)
    assert asset.material == "wood"


@pytest.mark.parametrize("name", ["short_cabinet", "white_cabinet"])
def test_cabinets_of_libero_have_their_three_drawers(name: str) -> None:
    if not LIBERO.is_dir():
        pytest.skip("../shared/data/articulated is not there")
    asset = articulated_asset(LIBERO / f"{name}.xml", root=LIBERO, name=name, label=name.replace("_", " "))
    joints = measure_affordances(asset).joints
    assert [joint.kind for joint in joints] == ["prismatic"] * 3
    assert all(0.16 < joint.range < 0.18 for joint in joints)
    assert all(abs(joint.axis[2]) < 1e-9 for joint in joints)
    assert 0.1 < asset.size_m.min() < asset.size_m.max() < 0.3
    assert [link.name for link in find_asset_files(LIBERO)] == ["libero/short_cabinet", "libero/white_cabinet"]


@pytest.mark.parametrize("name", ["short_cabinet", "white_cabinet"])
def test_shapes_lie_where_mujoco_has_them(name: str) -> None:
    if not LIBERO.is_dir():
        pytest.skip("../shared/data/articulated is not there")
    model = mujoco.MjModel.from_xml_path(str(LIBERO / f"{name}.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    mujoco_positions = data.geom_xpos[model.geom_contype != 0]
    asset = articulated_asset(LIBERO / f"{name}.xml", root=LIBERO, name=name, label=name)
    poses = link_poses(asset)
    asset_positions = np.array(
        [(poses[link.name] @ piece.link_from_piece)[:3, 3] for link in asset.links for piece in link.pieces]
    )
    np.testing.assert_allclose(
        asset_positions - asset_positions.mean(axis=0), mujoco_positions - mujoco_positions.mean(axis=0), atol=1e-6
    )
    axes = np.array([poses[joint.child][:3, :3] @ joint.axis for joint in asset.joints])
    np.testing.assert_allclose(axes, data.xaxis, atol=1e-6)


URDF = (
    '<robot name="r"><link name="a"><collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>'
    '<link name="b"><collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>'
    '<joint name="j" type="{kind}"><parent link="{parent}"/><child link="b"/><axis xyz="{axis}"/>'
    '<limit lower="{lower}" upper="1"/></joint></robot>'
)
FINE = {"kind": "revolute", "parent": "a", "axis": "0 0 1", "lower": "0"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "planar"}, "a joint of type 'planar'"),
        ({"parent": "nobody"}, "a joint from 'nobody' to 'b'"),
        ({"axis": "0 0 0"}, "an axis of length 0"),
        ({"axis": "0 nan 1"}, "where 3 numbers belong"),
        ({"lower": "2"}, "limits 2 to 1"),
        ({"lower": "1e400"}, "where 1 numbers belong"),
    ],
)
def test_a_broken_urdf_is_refused_with_what_was_found(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    path = tmp_path / "thing.urdf"
    path.write_text(URDF.format(**FINE))
    assert list(read_urdf(path)) == ["a", "b"]
    path.write_text(URDF.format(**(FINE | change)))
    with pytest.raises(CaptureError, match=problem):
        read_urdf(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<robot/>",
        "<mujoco><worldbody/></mujoco>",
        "<mujoco><include file='x.xml'/><worldbody><body/></worldbody></mujoco>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><mujoco/>",
        "<mujoco><worldbody><body><joint/></body></worldbody></mujoco>",
        "<mujoco><worldbody><body><geom type='mesh' mesh='no'/></body></worldbody></mujoco>",
        "<mujoco><worldbody>" + "<body>" * 200 + "</body>" * 200 + "</worldbody></mujoco>",
    ],
)
def test_what_is_not_one_jointed_thing_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "thing.xml"
    path.write_text(text)
    with pytest.raises(CaptureError, match="expected a URDF or MJCF of one thing"):
        read_articulation(path)


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../secret.obj", "package://x/../../secret.obj", "thing.dae", "none.obj"]
)
def test_meshes_outside_of_the_folder_are_not_opened(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.obj").write_text("v 0 0 0\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thing.dae").write_text("")
    (folder / "thing.urdf").write_text(
        f'<robot name="r"><link name="a"><collision><geometry><mesh filename="{file}"/></geometry></collision></link>'
        "</robot>"
    )
    with pytest.raises(CaptureError, match="a mesh"):
        articulated_asset(folder / "thing.urdf", root=folder, name="thing", label="thing")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_description_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([MJCF, URDF.format(**FINE)])).encode()
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 12))
    mutated = text[:start] + data.draw(st.binary(max_size=8)) + text[start + length :]
    path = tmp_path / ("thing.urdf" if b"<robot" in mutated else "thing.xml")
    path.write_bytes(mutated)
    try:
        asset = articulated_asset(path, root=tmp_path, name="thing", label="thing")
    except CousinsError:
        return
    assert all(np.all(np.isfinite(link.visual.vertices)) for link in asset.links)


def test_a_msh_is_read_and_a_broken_one_refused(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype="<f4")
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype="<i4")
    valid = struct.pack("<4i", 4, 0, 0, 4) + points.tobytes() + faces.tobytes()
    path = tmp_path / "a.msh"
    path.write_bytes(valid)
    mesh = read_msh(path)
    np.testing.assert_array_equal(mesh.faces, faces)
    for broken in (valid[:-1], valid[:8], struct.pack("<4i", -4, 0, 0, 4) + valid[16:], valid[:-4] + b"\x09\0\0\0"):
        path.write_bytes(broken)
        with pytest.raises(CaptureError, match="expected a mesh in MuJoCo's MSH format"):
            read_msh(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120))
def test_any_bytes_are_a_msh_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.msh"
    path.write_bytes(data)
    try:
        read_msh(path)
    except CaptureError:
        return
