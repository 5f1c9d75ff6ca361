"""The lock files: every package once, with hashes, and all that `pyproject.toml` asks for."""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter

import pytest
from packaging.requirements import Requirement

from supply_chain.lock import short_marker
from supply_chain.requirement_files import (
    FILES,
    FOLDER,
    ROOT,
    SETS,
    TORCH_CPU,
    TORCH_CUDA,
    Pin,
    normalised,
    parse_pins,
    read_pins,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(*names: str) -> dict[str, Pin]:
    return {pin.name: pin for name in names for pin in read_pins(name)}


def test_every_package_stands_in_one_file_alone_and_has_hashes() -> None:
    counts = Counter(pin.name for name in FILES if name != TORCH_CPU for pin in read_pins(name))
    assert [name for name, count in counts.items() if count > 1] == []
    assert all(pin.hashes for name in FILES for pin in read_pins(name))
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(FILES)


def test_every_extra_is_in_a_set() -> None:
    assert {extra for extras in SETS.values() for extra in extras} == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_the_lock_fits_what_the_project_asks_for(extra: str) -> None:
    texts = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    locked = pins(*SETS, TORCH_CUDA) if extra else pins("base")
    for requirement in map(Requirement, texts):
        pin = locked[normalised(requirement.name)]
        assert requirement.specifier.contains(pin.version), requirement


def test_both_builds_of_pytorch_have_one_version() -> None:
    (cpu,) = read_pins(TORCH_CPU)
    assert cpu.version.split("+")[0] == pins(TORCH_CUDA)["torch"].version


def test_no_file_names_a_place_that_packages_come_from() -> None:
    for name in FILES:
        text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        assert not re.search(r"://|--(extra-)?index|--find-links| @ ", text)


@pytest.mark.parametrize(
    "line",
    ["numpy==2.4.6", "numpy>=2 \\\n    --hash=sha256:" + "0" * 64, "-r other.txt", "numpy==2 \\\n    --hash=md5:00"],
)
def test_a_line_without_version_or_hash_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no pinned requirement with a SHA-256"):
        parse_pins(line + "\n")


def test_a_pin_reads_back_from_its_own_text() -> None:
    pin = Pin(name="a-b", version="1.0", marker="python_version < '3.12'", hashes=("0" * 64, "1" * 64))
    assert parse_pins(f"# heading\n{pin.text()}\n") == (pin,)


def test_markers_keep_the_version_of_python_alone() -> None:
    platform = "python_full_version < '3.13' and sys_platform == 'linux'"
    assert short_marker(platform) == ""
    assert short_marker(platform.replace("3.13", "3.12")) == "python_version < '3.12'"
    assert short_marker("python_full_version >= '3.12'") == "python_version >= '3.12'"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the lock is for Python 3.11 and 3.12")
def test_only_pybullet_depends_on_the_version_of_python() -> None:
    assert {pin.name for name in FILES for pin in read_pins(name) if pin.marker} == {"pybullet"}
