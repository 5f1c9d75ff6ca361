"""What needs more than the core: an extra that is not installed is told, with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cousins.errors import InputError


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Turn a missing module into an InputError that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"no module {error.name!r}",
            expected=f"the extra `{extra}`",
            hint=f"Install it: pip install 'cousins[{extra}]'.",
        ) from error
