"""Anyone's policy: a Python file with a function `act`, from what a policy sees [n, k] to actions [n, m], -1 to 1.

Row by row these are worlds side by side; all of them begin an episode at once, and one whose episode is over is shown
until the others' are. A policy that remembers has a function `reset` too, which is called before they begin. The file
is run as it is, like any program: give only files that you trust.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array

SUFFIX: Final = ".py"
_MODULE: Final = "policy_of_yours"


@dataclass(frozen=True, kw_only=True)
class MadeFor:
    """The worlds that a policy was made for."""

    task: str
    """Name of the task."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str = "ee_delta"
    """Name of the control that its actions are for."""
    control_hz: float = 20.0
    """Actions a second."""


class PythonPolicy:
    """What a Python file does."""

    def __init__(self, path: Path, card: MadeFor) -> None:
        """Run the file; raises `InputError` where that fails or it has no function `act`."""
        self.card = card
        self._path, self._actions = path.resolve(), 0
        module = self._asked(_loaded, self._path)
        act, self._reset = getattr(module, "act", None), getattr(module, "reset", None)
        if not callable(act):
            raise InputError(
                f"no function `act` in {os.fspath(path)!r}",
                expected="def act(observations): from [n, k] to actions [n, m], each -1 to 1",
                hint="Define it; `reset()` beside it is called before episodes begin.",
            )
        self._act: Callable[..., Any] = act

    def require_fit(self, observations: int, actions: int) -> None:
        """Note how many actions are wanted; whether the file gives as many is seen when it acts."""
        del observations
        self._actions = actions

    def begin(self) -> None:
        """Tell it that episodes begin in all rows."""
        if callable(self._reset):
            self._asked(self._reset)

    def act(self, observations: Array) -> Array:
        """Return its actions [n, m], cut to -1 and 1; raises `InputError` where it fails or gives something else."""
        found = self._asked(self._act, observations.copy())
        wanted = (len(observations), self._actions)
        try:
            actions = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._wrong(f"actions that are no numbers ({error})", wanted) from error
        if actions.shape != wanted:
            raise self._wrong(f"actions of shape {actions.shape}", wanted)
        return np.clip(actions, -1.0, 1.0)

    def _wrong(self, what: str, wanted: tuple[int, int]) -> InputError:
        return InputError(
            f"{what} from {os.fspath(self._path)!r}",
            expected=f"shape {wanted}, as {self.card.task} in {wanted[0]} worlds takes",
            hint="Return a row of actions for each row of observations, as an array of numpy.",
        )

    def _asked(self, call: Callable[..., Any], *given: Any) -> Any:
        """Call what the file has; an error of it is told with the file's last line on the way to it."""
        try:
            return call(*given)
        except InputError:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [one for one in frames if Path(one.filename) == self._path] or frames
            raise InputError(
                f"{type(error).__name__}: {error} ({own[-1].filename}, line {own[-1].lineno})",
                expected=f"{os.fspath(self._path)!r} to run",
                hint="Mend it; it is run like any Python file, with its folder on the path.",
            ) from error


def _loaded(path: Path) -> Any:
    """Return a file as a module; what lies beside it can be imported."""
    if not path.is_file():
        raise InputError(
            f"no file {os.fspath(path)!r}",
            expected="a Python file with a function `act`",
            hint="Give its path, or a policy folder of `cousins train`.",
        )
    sys.path.insert(0, os.fspath(path.parent))
    found = importlib.util.spec_from_file_location(_MODULE, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[_MODULE] = module
    found.loader.exec_module(module)
    return module
