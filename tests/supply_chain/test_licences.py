"""The licence gate: what is installed passes it, and what is not allowed does not."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path

import pytest

pytest.importorskip("license_expression", reason="comes with the extra `dev`")

from supply_chain.licence_tables import LIBRARIES, MARKS, STRONG_COPYLEFT
from supply_chain.licences import (
    PROJECT,
    bundled_libraries,
    check_base,
    check_installed,
    check_libraries,
    check_licence,
    is_allowed,
    licence_of,
    lock_files_of_packages,
    marks_of,
)


class FakeDistribution(Distribution):
    """A package with given metadata and files."""

    def __init__(self, *fields: tuple[str, str], names: Sequence[str] = ()) -> None:
        self._fields, self._names = (("Name", "thing"), *fields), names

    @property
    def metadata(self) -> Message:  # type: ignore[override]
        message = Message()
        for key, value in self._fields:
            message[key] = value
        return message

    @property
    def files(self) -> list[PackagePath]:  # type: ignore[override]
        return [PackagePath(name) for name in self._names]

    @property
    def requires(self) -> list[str]:  # type: ignore[override]
        return [value for key, value in self._fields if key == "Requires-Dist"]

    def read_text(self, filename: str) -> None:  # noqa: ARG002
        return None

    def locate_file(self, path: object) -> Path:  # type: ignore[override]
        return Path(str(path))


def test_all_that_is_installed_is_allowed() -> None:
    assert [str(finding) for finding in check_installed(distributions())] == []


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT AND PSF-2.0"), ("License", "GPL-3.0-only")], "MIT AND PSF-2.0"),
        ([("License", "Apache License 2.0")], "Apache-2.0"),
        ([("License", "BSD-3-Clause")], "BSD-3-Clause"),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("Classifier", "License :: OSI Approved")], ""),
        (
            [
                ("Classifier", "License :: OSI Approved :: MIT License"),
                ("Classifier", "License :: OSI Approved :: Apache Software License"),
            ],
            "",
        ),
        ([("License", "Free for everyone\nbut not for you")], ""),
        ([], ""),
    ],
)
def test_a_licence_is_read_from_the_most_exact_field_and_never_guessed(
    fields: list[tuple[str, str]], licence: str
) -> None:
    assert licence_of(FakeDistribution(*fields)) == licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND MPL-2.0", True),
        ("GPL-2.0-or-later", False),
        ("AGPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LGPL-2.1-or-later", True),
        ("LicenseRef-Ours", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_where_allowed_licences_satisfy_it(expression: str, allowed: bool) -> None:  # noqa: FBT001
    assert is_allowed(expression) == allowed


def test_an_unknown_licence_is_refused_like_one_that_is_not_allowed() -> None:
    (unknown,) = check_licence("thing", "", "dev")
    assert "no licence that is known" in unknown.message
    (refused,) = check_licence("thing", "AGPL-3.0-only", "dev")
    assert "AGPL-3.0-only is not allowed" in refused.message


def test_cuda_comes_with_its_own_file_alone() -> None:
    assert list(check_licence("nvidia-cublas", "LicenseRef-NVIDIA", "torch-cuda")) == []
    (finding,) = check_licence("nvidia-cublas", "LicenseRef-NVIDIA", "dev")
    assert "not allowed" in finding.message


def test_names_of_bundled_libraries_lose_hash_and_version() -> None:
    names = ("thing.libs/libx264-d6533a8d.so.165", "thing.libs/libopenblasp-r0-4c5b64b1.3.15.so", "thing/libx.so")
    names += ("thing.libs/libcrypto-15f64fa4.so.1.1.1k", "thing.libs/libxcb-shm-0be6dfbf.so.0.0.0")
    libraries = bundled_libraries(FakeDistribution(names=names))
    assert libraries == ["crypto", "openblasp-r0", "x264", "xcb-shm"]
    assert set(libraries) <= set(LIBRARIES)


def test_a_bundled_library_under_the_gpl_is_refused_where_it_is_not_listed() -> None:
    (finding,) = check_libraries("thing", ["x264"])
    assert "bundles libx264 under GPL-2.0-or-later" in finding.message
    assert list(check_libraries("av", ["x264", "x265", "opus"])) == []
    (unknown,) = check_libraries("thing", ["mystery"])
    assert "whose licence is not known" in unknown.message


def test_the_base_install_and_other_extras_bring_no_strong_copyleft() -> None:
    project = [("Requires-Dist", 'av<19; extra == "video"'), ("Requires-Dist", "numpy")]
    assert list(check_base(FakeDistribution(*project))) == []
    (base,) = check_base(FakeDistribution(("Requires-Dist", "av<19")))
    assert "comes with the base install" in base.message
    (extra,) = check_base(FakeDistribution(("Requires-Dist", 'pycolmap<5; extra == "rl"')))
    assert "comes with the extra rl" in extra.message
    assert {lock_files_of_packages()[name] for name in STRONG_COPYLEFT} == {"dev"}


def test_every_exception_has_a_reason_and_names_extras() -> None:
    for name, entry in STRONG_COPYLEFT.items():
        assert name != PROJECT
        assert len(entry.reason) > 40
        assert entry.extras
        assert entry.contains


def test_linked_libraries_are_found_by_their_byte_strings(tmp_path: Path) -> None:
    module = tmp_path / "module.so"
    module.write_bytes(b"\0" * 5000 + next(iter(MARKS)) + b"\0")
    assert marks_of(module) == [next(iter(MARKS.values()))]
    module.write_bytes(b"\0" * 5000 + b"libavcodec license: LGPL version 2.1 or later")
    assert marks_of(module) == []
