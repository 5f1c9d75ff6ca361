"""Bodies by name or by file: each name is one file in `backends`; any URDF or MJCF of one arm is a body by its path."""

from __future__ import annotations

import os
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Final

from cousins import plugins
from cousins.errors import CaptureError
from sim.bodies.body import Body
from sim.bodies.capabilities import BodyCapabilities, BodyNeeds, capabilities_of
from sim.bodies.files.robot_file import SUFFIXES, body_from_file

BACKENDS: Final = "sim.bodies.backends"
LAST: Final = 100
"""Preference of a body that declares none: tasks take the suitable body of the lowest preference first."""


def names() -> list[str]:
    """Return the names that `build` knows."""
    return plugins.backend_names(BACKENDS)


def build(name: str, *, urdf: Path | None = None) -> Body:
    """Return a body by name, or by the path of a URDF or MJCF, `PATH#LINK` to name the link or site of its tip.

    `urdf` is the file of a named robot that the project does not ship. Raises `UnknownNameError`, and `CaptureError`
    where the file is missing, given in vain or not understood.
    """
    path, _, tip = name.partition("#")
    if is_file(name):
        if urdf is not None:
            raise CaptureError("two robot files", expected="one", hint="Leave out one of them.")
        return body_from_file(Path(path), tip=tip or None)
    module = plugins.load_backend(BACKENDS, name, kind="body")
    if urdf is not None and "path" not in {field.name for field in fields(module.Config)}:
        raise CaptureError(f"a URDF for {name!r}", expected="none", hint=f"{name} needs no file: leave it out.")
    body: Body = module.build(module.Config() if urdf is None else module.Config(path=urdf))
    return body


def is_file(name: str) -> bool:
    """Return whether a body is given by the path of its file, not by name."""
    path = name.partition("#")[0]
    return Path(path).suffix.lower() in SUFFIXES or os.sep in path or "/" in path


@lru_cache(maxsize=64)
def capabilities_by_name(name: str) -> BodyCapabilities:
    """Return what a body, by name or path, can do: as its file declares it, else derived from its model.

    A file declares it as `CAPABILITIES` where the model is not shipped with the project. Raises as `build` does.
    """
    if not is_file(name):
        declared: BodyCapabilities | None = getattr(
            plugins.load_backend(BACKENDS, name, kind="body"), "CAPABILITIES", None
        )
        if declared is not None:
            return declared
    return capabilities_of(build(name))


def bodies_for(needs: BodyNeeds) -> tuple[str, ...]:
    """Return the names of the bodies that have what a task needs, those that tasks take first first."""
    preferences = {
        name: getattr(plugins.load_backend(BACKENDS, name, kind="body"), "PREFERENCE", LAST) for name in names()
    }
    ordered = sorted(preferences, key=lambda name: (preferences[name], name))
    return tuple(name for name in ordered if not needs.missing(capabilities_by_name(name)))
