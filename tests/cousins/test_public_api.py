"""`import cousins` is the public API: complete, typed, documented, and free until a name is used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import cousins
from sim.physics.simple_assets import make_scene, slab

ROOT = Path(__file__).parents[2]
NAMES = """
Asset Body Capture CousinsError Fidelity Finding InputError Pack Recipe ScanOptions ScanResult Scene Segmentation Task
TrainingConfig adapt_env assemble_twin check evaluate load_family load_policy make_env make_pack measure_affordances
measure_fidelity missing_affordances open_pack read_capture reconstruct_objects refine_poses register_rllib_envs scan
segment_capture settle train
""".split()  # noqa: SIM905
NEEDS = {
    "adapt_env": "gymnasium",
    "register_rllib_envs": "gymnasium",
    "TrainingConfig": "torch",
    "evaluate": "gymnasium",
    "load_policy": "safetensors",
    "make_env": "gymnasium",
    "train": "torch",
}


def test_the_public_names_are_these() -> None:
    assert cousins.__all__ == [*NAMES, "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_exists_and_has_a_docstring(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    value = getattr(cousins, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)


def test_the_types_name_the_same_things_from_the_same_modules() -> None:
    tree = ast.parse((ROOT / "cousins/__init__.pyi").read_text())
    stub = {alias.asname: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert stub == cousins._HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'cousins' has no attribute 'scam'"):
        _ = cousins.scam


def loaded_after(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not loaded_after("import cousins") & {"numpy", "scipy", "trimesh", "numba", "prefect", "sim", "flows"}


def test_a_scene_needs_no_mesh_library() -> None:
    heavy = {"scipy", "trimesh", "numba", "pxr", "skimage", "prefect", "sim", "flows"}
    assert not loaded_after("from cousins import Scene") & heavy


def test_paths_of_the_public_api_may_be_texts(tmp_path: Path) -> None:
    folder = str(tmp_path / "scene")
    scene = make_scene(name="empty", structures=(slab("table", size_m=(1.0, 1.0, 0.05), top_m=0.7),))
    digest = scene.save(folder)
    assert cousins.Scene.load(folder).name == "empty"
    assert len(digest) == 64
    assert [finding for finding in cousins.check(folder) if finding.severity == "error"] == []
