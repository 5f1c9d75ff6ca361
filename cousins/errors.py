"""What can go wrong, as one tree.

CousinsError
├── InputError            the user's input is unusable: found, expected, hint (exit code 2)
│   ├── CaptureError      a phone export that cannot be read or trusted
│   │   └── ConventionError   its declared camera convention loses to another one
│   ├── ArchiveError      a zip that is broken or hostile
│   ├── SceneError        a scene folder or USD file that cannot be read
│   ├── PackError         a pack or a store of packs that cannot be read or trusted
│   └── UnknownNameError  no back-end of that name
├── StageError            a pipeline stage could not produce its result (exit code 1)
└── EngineError           a physics engine refused or broke a scene (exit code 1)
"""

from __future__ import annotations


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


class CaptureError(InputError):
    """A phone export that cannot be read or trusted."""


class ConventionError(CaptureError):
    """A capture whose declared camera convention loses to another one."""


class ArchiveError(InputError):
    """A zip that is broken or hostile."""


class SceneError(InputError):
    """A scene folder or USD file that cannot be read."""


class PackError(InputError):
    """A pack or a store of packs that cannot be read or trusted."""


class UnknownNameError(InputError):
    """No back-end of that name."""


class StageError(CousinsError):
    """A pipeline stage could not produce its result; `stage` names it."""

    def __init__(self, message: str, *, stage: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage = stage


class EngineError(CousinsError):
    """A physics engine refused or broke a scene; `engine` names it."""

    def __init__(self, message: str, *, engine: str) -> None:
        super().__init__(f"{engine}: {message}")
        self.engine = engine
