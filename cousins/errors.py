"""Exception classes of the project, in one tree.

CousinsError
├── InputError            the user's input is unusable: found, expected, hint (exit code 2)
│   ├── CaptureError      a phone export that cannot be read or trusted
│   │   └── ConventionError   its depth fits another camera convention better than the declared one
│   ├── ArchiveError      a zip that is broken or malicious
│   ├── OutputError       an output path that is taken, or in use by another process
│   ├── SceneError        a scene folder or USD file that cannot be read
│   ├── PackError         a pack that cannot be read or trusted
│   │   └── StoreError    a pack store that does not answer or does not support the request
│   └── UnknownNameError  no back-end with that name
├── ResourceError             a disk that is full, read-only or broken (exit code 1): found, expected, hint
├── StageError            a pipeline stage could not produce its result (exit code 1)
├── EngineError           a physics engine refused or broke a scene (exit code 1)
└── CellError             a robot cell stopped, or does not answer as it should (exit code 1)
"""

from __future__ import annotations

from functools import partial
from typing import Any


class CousinsError(Exception):
    """Base class of every error that this project raises on purpose."""


class ExplainedError(CousinsError):
    """Error that its reader can mend, described by what was found, what was expected, and a hint for the user.

    The three parts are kept as the attributes `found`, `expected` and `hint`, as `--json` prints them.
    """

    def __init__(self, found: str, *, expected: str, hint: str) -> None:
        super().__init__(f"found {found}; expected {expected}. {hint}")
        self.found = found
        self.expected = expected
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return partial(type(self), expected=self.expected, hint=self.hint), (self.found,)


class InputError(ExplainedError):
    """Unusable input."""


class CaptureError(InputError):
    """A phone export that cannot be read or trusted."""


class ConventionError(CaptureError):
    """A capture whose depth fits another camera convention better than the declared one."""


class ArchiveError(InputError):
    """A zip that is broken or malicious."""


class OutputError(InputError):
    """An output path that is taken, or in use by another process."""


class SceneError(InputError):
    """A scene folder or USD file that cannot be read."""


class PackError(InputError):
    """A pack that cannot be read or trusted."""


class StoreError(PackError):
    """A pack store that does not answer or does not support the request."""


class UnknownNameError(InputError):
    """There is no back-end with that name."""


class ResourceError(ExplainedError):
    """What the machine lacks: a disk that is full, read-only or broken, missing rights, or too little memory."""


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


class CellError(CousinsError):
    """A robot cell stopped, or does not answer as it should; `kind` names what happened in a few words."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.message = message
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        """Cross to another process whole."""
        return partial(type(self), kind=self.kind), (self.message,)
