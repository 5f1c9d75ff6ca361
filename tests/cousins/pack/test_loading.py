"""A cousin of a pack loads on its own in every format, with nothing but its own blobs."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pxr import Usd, UsdPhysics

from cousins.errors import PackError
from cousins.meshes import Mesh
from cousins.pack.blobs import MAX_DECOMPRESSED_BYTES, compress, decompress
from cousins.pack.packs import Pack, open_folder
from cousins.pack.records.mesh_bytes import mesh_bytes, read_meshes
from cousins.plugins import load_backend
from cousins.scene.io.mesh_writer import mesh_files
from cousins.scene.io.obj import round_mesh
from cousins.scene.scene_folder import write_scene
from tests.cousins.pack.packs_for_tests import small_pack
from tests.cousins.scene.scenes_for_tests import bowl_asset, textured_box_mesh


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder)
    return open_folder(folder)


def test_mujoco_loads_a_cousin_from_memory(pack: Pack) -> None:
    xml, files = pack.mjcf(4)
    model = mujoco.MjModel.from_xml_string(xml, files)
    cousin = pack.cousin(4)
    for instance in cousin.objects:
        body = model.body(instance.name)
        np.testing.assert_allclose(body.pos, instance.position_m, atol=1e-6)
        assert body.mass[0] == pytest.approx(instance.mass_kg[0], rel=1e-6)
    assert model.camera("look__camera").id == 0
    assert {key: files[key.replace("/", "__")] for key in mesh_files(pack.scene(4))} == mesh_files(pack.scene(4))
    bare, fewer = pack.mjcf(4, visuals=False)
    assert len(fewer) < len(files)
    mujoco.MjModel.from_xml_string(bare, fewer)


@pytest.mark.parametrize("engine", ["mujoco", "pybullet"])
def test_both_engines_load_a_cousin(pack: Pack, engine: str) -> None:
    backend = load_backend("sim.physics.backends", engine, kind="engine")
    world = backend.build(backend.Config())
    with world as ready:
        ready.load(pack.scene(7))


def test_usd_of_a_cousin_holds_its_numbers(pack: Pack, tmp_path: Path) -> None:
    write_scene(pack.scene(2), tmp_path / "scene")
    stage = Usd.Stage.Open(str(tmp_path / "scene/scene.usda"))
    for instance in pack.cousin(2).objects:
        prim = stage.GetPrimAtPath(f"/World/Objects/{instance.name}")
        masses = [
            UsdPhysics.MassAPI(inner).GetMassAttr().Get()
            for inner in Usd.PrimRange(prim)
            if inner.HasAPI("PhysicsMassAPI")
        ]
        np.testing.assert_allclose(sorted(masses), sorted(instance.mass_kg), rtol=1e-6)


def test_meshes_come_back_to_the_micrometre() -> None:
    box, bowl = textured_box_mesh((0.2, 0.1, 0.05)), bowl_asset().links[0].visual
    colored = Mesh(
        vertices=bowl.vertices,
        faces=bowl.faces,
        colors=(np.arange(len(bowl.vertices) * 3) % 256).reshape(-1, 3).astype(np.uint8),
    )
    for given_mesh, read_back in zip([box, bowl, colored], read_meshes(mesh_bytes([box, bowl, colored])), strict=True):
        rounded = round_mesh(given_mesh)
        np.testing.assert_array_equal(read_back.vertices, rounded.vertices)
        np.testing.assert_array_equal(read_back.faces, rounded.faces)
        for key in ("uv", "colors"):
            expected, actual = getattr(rounded, key), getattr(read_back, key)
            assert (expected is None) == (actual is None)
            if expected is not None:
                np.testing.assert_array_equal(actual, expected)


def test_meshes_without_end_are_refused() -> None:
    mesh = Mesh(vertices=np.array([[0.0, 0.0, np.nan], [1, 0, 0], [0, 1, 0]]), faces=np.array([[0, 1, 2]]))
    with pytest.raises(PackError, match="over a kilometre away"):
        mesh_bytes([mesh])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=6))
def test_broken_mesh_bytes_are_refused_or_meshes(place: int, noise: bytes) -> None:
    raw = bytearray(decompress(mesh_bytes([textured_box_mesh((0.2, 0.1, 0.05))])))
    place %= len(raw)
    raw[place : place + len(noise)] = noise
    try:
        meshes = read_meshes(compress(bytes(raw)))
    except PackError:
        return
    for mesh in meshes:
        assert mesh.faces.max() < len(mesh.vertices)
        assert np.isfinite(mesh.vertices).all()


@given(st.binary(max_size=200))
def test_any_bytes_expand_or_are_refused(data: bytes) -> None:
    with pytest.raises(PackError):
        decompress(data)
    assert decompress(compress(data)) == data


@given(st.integers(0, 500), st.integers(0, 7))
def test_a_flipped_bit_in_compressed_bytes_never_gives_more_than_the_declared_length(place: int, bit: int) -> None:
    data = bytearray(compress(bytes(range(256)) * 20))
    data[place % len(data)] ^= 1 << bit
    try:
        assert len(decompress(bytes(data))) < MAX_DECOMPRESSED_BYTES
    except PackError:
        return


def test_a_small_blob_cannot_fill_the_memory() -> None:
    bomb = bytearray(compress(bytes(50_000_000)))
    head = len(b"cousins bz2 1\n")
    assert len(bomb) < 1000
    bomb[head : head + 8] = (1000).to_bytes(8, "little")
    with pytest.raises(PackError, match="another length than it tells"):
        decompress(bytes(bomb))
    bomb[head : head + 8] = (2**40).to_bytes(8, "little")
    with pytest.raises(PackError, match="a blob of another kind"):
        decompress(bytes(bomb))


def test_what_would_not_be_read_is_not_written() -> None:
    with pytest.raises(PackError, match="Make the meshes of that asset lighter"):
        compress(bytes(MAX_DECOMPRESSED_BYTES + 1))
