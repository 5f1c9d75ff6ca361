"""Policies in Python: a file with a function `act` from observations [n, k] to actions [n, m] in [-1, 1].

Each row belongs to one of n worlds in parallel. All rows begin an episode together, and a row whose episode has ended
is still passed to `act` until the others have ended. A policy with memory defines a function `reset` too, which is
called before episodes begin. The file is executed like any program: use only files that you trust.
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

PYTHON_SUFFIX: Final = ".py"
_MODULE_NAME: Final = "policy_of_yours"


@dataclass(frozen=True, kw_only=True)
class PythonPolicyCard:
    """Task, body and control that a Python policy was written for."""

    task: str
    """Name of the task."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control: str = "ee_delta"
    """Name of the control that its actions are for."""
    control_hz: float = 20.0
    """Actions per second [Hz]."""


class PythonPolicy:
    """A policy that is defined by a Python file."""

    def __init__(self, path: Path, card: PythonPolicyCard, *, function: str = "act") -> None:
        """Execute the file; raises `InputError` where that fails or it defines no such function."""
        self.card = card
        self._path, self._actions = path.resolve(), 0
        module = self._call_file(_load_module, self._path)
        act, self._reset = getattr(module, function, None), getattr(module, "reset", None)
        if not callable(act):
            raise InputError(
                f"no function `{function}` in {os.fspath(path)!r}",
                expected=f"def {function}(observations): from [n, k] to actions [n, m], each -1 to 1",
                hint="Define it; `reset()` beside it is called before episodes begin.",
            )
        self._act: Callable[..., Any] = act

    def require_fit(self, observations: int, actions: int) -> None:
        """Store the expected size of an action; `act` checks what the file returns."""
        del observations
        self._actions = actions

    def begin(self) -> None:
        """Call `reset` of the file, where it exists: episodes begin in all rows."""
        if callable(self._reset):
            self._call_file(self._reset)

    def act(self, observations: Array) -> Array:
        """Return actions [n, m], clipped to [-1, 1], for observations [n, k].

        Raises `InputError` where the file fails or returns something else.
        """
        returned = self._call_file(self._act, observations.copy())
        expected_shape = (len(observations), self._actions)
        try:
            actions = np.asarray(returned, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._shape_error(f"actions that are no numbers ({error})", expected_shape) from error
        if actions.shape != expected_shape:
            raise self._shape_error(f"actions of shape {actions.shape}", expected_shape)
        return np.clip(actions, -1.0, 1.0)

    def _shape_error(self, problem: str, expected_shape: tuple[int, int]) -> InputError:
        return InputError(
            f"{problem} from {os.fspath(self._path)!r}",
            expected=f"shape {expected_shape}, as {self.card.task} in {expected_shape[0]} worlds takes",
            hint="Return a row of actions for each row of observations, as an array of numpy.",
        )

    def _call_file(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the file; an error in it becomes an `InputError` that names the line of the file."""
        try:
            return function(*arguments)
        except InputError:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            file_frames = [frame for frame in frames if Path(frame.filename) == self._path] or frames
            raise InputError(
                f"{type(error).__name__}: {error} ({file_frames[-1].filename}, line {file_frames[-1].lineno})",
                expected=f"{os.fspath(self._path)!r} to run",
                hint="Mend it; it is run like any Python file, with its folder on the path.",
            ) from error


def _load_module(path: Path) -> Any:
    """Return a file as a module; modules in its folder can be imported from it."""
    if not path.is_file():
        raise InputError(
            f"no file {os.fspath(path)!r}",
            expected="a Python file with a function `act`",
            hint="Give its path, or a policy folder of `cousins train`.",
        )
    sys.path.insert(0, os.fspath(path.parent))
    module_spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[_MODULE_NAME] = module
    module_spec.loader.exec_module(module)
    return module
