"""What can go wrong, as one tree.

CousinsError
├── InputError            the user's input is unusable: found, expected, hint (exit code 2)
│   ├── CaptureError      a phone export that cannot be read or trusted
│   │   └── ConventionError   its declared camera convention loses to another one
│   ├── ArchiveError      a zip that is broken or hostile
│   ├── SceneError        a scene folder or USD file that cannot be read
│   ├── PackError         a pack that cannot be read or trusted
│   │   └── StoreError    a store of packs that does not answer, or cannot do what is asked
│   └── UnknownNameError  no back-end of that name
├── StageError            a pipeline stage could not produce its result (exit code 1)
└── EngineError           a physics engine refused or broke a scene (exit code 1)
"""

from __future__ import annotations

from functools import partial
from typing import Any


class CousinsError(Exception):
    """The root of every error that this project raises on purpose."""


class InputError(CousinsError):
    """Unusable input, told as what was found, what was expected and what to type.

    The three parts are kept as attributes of the same names.
    """

    def __init__(self, found: str, *, expected: str, hint: str) -> None:
        super().__init__(f"found {found}; expected {expected}. {hint}")
        self.found = found
        self.expected = expected
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return partial(type(self), expected=self.expected, hint=self.hint), (self.found,)


class CaptureError(InputError):
    """A phone export that cannot be read or trusted."""


class ConventionError(CaptureError):
    """A capture whose declared camera convention loses to another one."""


class ArchiveError(InputError):
    """A zip that is broken or hostile."""


class SceneError(InputError):
    """A scene folder or USD file that cannot be read."""


class PackError(InputError):
    """A pack that cannot be read or trusted."""


class StoreError(PackError):
    """A store of packs that does not answer, or cannot do what is asked."""


class UnknownNameError(InputError):
    """No back-end of that name."""


class StageError(CousinsError):
    """A pipeline stage could not produce its result; `stage` names it."""

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.message = message
        self.stage = stage

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return partial(type(self), stage=self.stage), (self.message,)


class EngineError(CousinsError):
    """A physics engine refused or broke a scene; `engine` names it."""

    def __init__(self, message: str, *, engine: str) -> None:
        super().__init__(f"{engine}: {message}")
        self.message = message
        self.engine = engine

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return partial(type(self), engine=self.engine), (self.message,)
