"""Load back-ends by name: each is one file in a `backends/` folder with a `Config` and a `build(config)`."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from cousins.errors import InputError, UnknownNameError
from cousins.extras import missing_module_as_extra

T = TypeVar("T")


def backend_names(package: str) -> list[str]:
    """Return the public names of the back-ends in a package such as `cousins.segment.backends`."""
    package_module = importlib.import_module(package)
    return sorted(module.name for module in pkgutil.iter_modules(package_module.__path__))


def load_backend(package: str, name: str, *, kind: str) -> ModuleType:
    """Import and return the back-end `name`; `kind` is the noun used in the error, such as `segmenter`.

    Raises `UnknownNameError` where the package has no such back-end, `InputError` that names the extra where its
    library is not installed.
    """
    available = backend_names(package)
    if name not in available:
        similar = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
        guess = f"Did you mean '{similar[0]}'? " if similar else ""
        raise UnknownNameError(
            f"no {kind} named '{name}'",
            expected="one of " + ", ".join(available),
            hint=f"{guess}Known: {', '.join(available)}.",
        )
    with missing_module_as_extra():
        return importlib.import_module(f"{package}.{name}")


def called_with(function: Callable[..., T], *arguments: Any, options: Mapping[str, Any] | None, owner: str) -> T:
    """Call a function with options; raises `InputError` for one that it does not have."""
    names = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ][len(arguments) :]
    takes_any = any(item.kind is item.VAR_KEYWORD for item in inspect.signature(function).parameters.values())
    for name in options or {}:
        if name not in names and not takes_any:
            close = difflib.get_close_matches(name, names, n=1)
            raise InputError(
                f"an option {str(name)[:40]!r} of {owner}",
                expected="one of " + ", ".join(names) if names else "no options",
                hint=f"Did you mean {close[0]!r}?" if close else "Leave it out.",
            )
    return function(*arguments, **(options or {}))
