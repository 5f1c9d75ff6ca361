"""Back-ends by name: each is one file in a `backends/` folder with a `Config` and a `build(config)`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from types import ModuleType

from cousins.errors import UnknownNameError


def names(package: str) -> list[str]:
    """Return the public names of the back-ends in a package such as `cousins.segment.backends`."""
    found = importlib.import_module(package)
    return sorted(module.name for module in pkgutil.iter_modules(found.__path__))


def load(package: str, name: str, *, kind: str) -> ModuleType:
    """Import the back-end `name`; `kind` is the noun used in the error, such as `segmenter`."""
    known = names(package)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        guess = f"Did you mean '{close[0]}'? " if close else ""
        raise UnknownNameError(
            f"no {kind} named '{name}'",
            expected="one of " + ", ".join(known),
            hint=f"{guess}Known: {', '.join(known)}.",
        )
    return importlib.import_module(f"{package}.{name}")
