"""The bill of materials follows CycloneDX and what is installed."""

from __future__ import annotations

import json
import zipfile
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

pytest.importorskip("cyclonedx", reason="comes with the extra `dev`")

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from cousins import __version__
from supply_chain.requirement_files import read_pins
from supply_chain.wheel import bill_of_materials, build_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_the_bill_is_valid_and_lists_what_is_installed(wheel: Path) -> None:
    bill = bill_of_materials(wheel, distributions())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert bill["metadata"]["component"]["version"] == __version__
    listed = {entry["name"]: entry for entry in bill["components"]}
    base = {pin.name: pin.version for pin in read_pins("base")}
    assert {name for name, entry in listed.items() if entry["scope"] == "required"} == set(base)
    for name, entry in listed.items():
        assert entry["version"] == version(name)
        assert entry["version"] == base.get(name, entry["version"])
        assert entry["licenses"], name
    assert {"mujoco", "torch", "prefect"} <= set(listed)
    assert not {"pytest", "ruff", "pip-audit", "open3d", "zensical"} & set(listed) - {"pytest"}


def test_dependencies_point_at_components(wheel: Path) -> None:
    bill = bill_of_materials(wheel, distributions())
    references = {entry["bom-ref"] for entry in (bill["metadata"]["component"], *bill["components"])}
    assert {entry["ref"] for entry in bill["dependencies"]} == references
    assert all(set(entry["dependsOn"]) <= references for entry in bill["dependencies"])


def test_the_same_wheel_has_the_same_bill_and_the_same_sources_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    again = build_wheel(tmp_path)
    assert again.read_bytes() == wheel.read_bytes()
    assert bill_of_materials(wheel, distributions()) == bill_of_materials(again, distributions())


def test_the_wheel_holds_the_three_packages_and_nothing_of_the_project_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"cousins", "sim", "flows", f"cousins-{__version__}.dist-info"}
