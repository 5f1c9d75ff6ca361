"""Reference pages that follow from the code are as it would write them, and name the whole public API."""

from __future__ import annotations

import importlib.util
from itertools import chain
from types import ModuleType

import pytest

import cousins
from tests.docs.blocks import ROOT


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """Return the program that writes the pages."""
    path = ROOT / "docs/make_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["commands", "api"])
def test_a_page_is_as_the_code_would_write_it(
    page: str, reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", reference.WIDTH)
    text = getattr(reference, f"{page}_page")()
    committed = (ROOT / f"docs/reference/{page}.md").read_text(encoding="utf-8")
    assert committed == text, "run `python docs/make_reference.py`"


def test_the_sections_name_the_public_api_once_each(reference: ModuleType) -> None:
    names = list(chain.from_iterable(reference.GROUPS.values()))
    assert sorted(names) == sorted(set(cousins.__all__) - {"__version__"})
