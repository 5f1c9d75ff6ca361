"""A result is computed again when the code that its stage reaches or a library has changed."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

import flows.execution.code_version
from flows.execution.code_version import EXTRAS, LADDER, LIBRARIES, installed_versions

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
EXTRAS_OF_RESULTS = ("sim", "vision", "video", "photos", "sam", "names")
CHANGE_NO_RESULT = {"psutil", "rich", "safetensors"}
"""These measure memory, show progress, and read weights."""


def required_names(requirements: list[str]) -> set[str]:
    """Return the names of the required distributions, those with an environment marker too."""
    return {Requirement(requirement).name for requirement in requirements} - CHANGE_NO_RESULT


def test_every_library_that_results_depend_on_counts() -> None:
    assert required_names(PROJECT["project"]["dependencies"]) == set(LIBRARIES)
    extras = PROJECT["project"]["optional-dependencies"]
    assert required_names([text for extra in EXTRAS_OF_RESULTS for text in extras[extra]]) == set(EXTRAS)


def test_an_extra_that_is_not_installed_is_left_out(monkeypatch) -> None:
    installed_versions.cache_clear()
    monkeypatch.setattr(flows.execution.code_version, "EXTRAS", ("pillow-heif-of-nobody",))
    try:
        assert set(installed_versions()) == {*LIBRARIES, "python"}
    finally:
        installed_versions.cache_clear()


def test_stages_climb_in_the_order_of_the_import_contract() -> None:
    contract = next(
        contract_entry
        for contract_entry in PROJECT["tool"]["importlinter"]["contracts"]
        if contract_entry.get("containers") == ["cousins"]
    )
    assert tuple(reversed(contract["layers"][: contract["layers"].index("capture") + 1])) == LADDER
