"""Physics engines that are installed: the extra `sim` brings MuJoCo and, where it has wheels, PyBullet."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from cousins.errors import InputError

ENGINES: Final = ("mujoco", "pybullet")
"""Engines with a library of the same name, in the order in which cousins are validated."""


def installed_engines() -> tuple[str, ...]:
    """Return the names of the engines whose library is installed, in the order of `ENGINES`; `fake` is not one."""
    return tuple(name for name in ENGINES if find_spec(name) is not None)


def require_engines(names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the engines of these names; without names, all that are installed, in the order of `ENGINES`.

    Raises `InputError` that names the extra where the library of one is missing, or no engine is installed.
    """
    installed = installed_engines()
    missing = [name for name in ENGINES if name not in installed]
    if names is None:
        if installed:
            return installed
        raise InputError(
            "no physics engine: neither mujoco nor pybullet is installed",
            expected="the extra `sim`",
            hint="Install it: pip install 'cousins[sim]'.",
        )
    lacking = [name for name in names if name in missing]
    if not lacking:
        return tuple(names)
    other = f"Or take the engine that is installed: {installed[0]}. " if installed else ""
    no_wheels = "PyBullet has wheels for Python 3.11 only. " if "pybullet" in lacking else ""
    raise InputError(
        f"no engine {lacking[0]}: its library is not installed",
        expected="the extra `sim`",
        hint=f"Install it: pip install 'cousins[sim]'. {no_wheels}{other}".rstrip(),
    )


def single_engine_fallbacks(engines: Sequence[str]) -> tuple[str, ...]:
    """Return the fallback of gates that ran in these engines: one sentence where it was one engine, else none."""
    return (f"second engine not installed: gates ran in {engines[0]} alone",) if len(engines) == 1 else ()
