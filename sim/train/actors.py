"""Who can be tried: a policy of ours, or anyone's."""

from __future__ import annotations

from typing import Protocol

from cousins.geometry import Array


class Made(Protocol):
    """The worlds that a policy was made for."""

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    @property
    def body(self) -> str | None:
        """Name of the body; None for the task's first."""
        ...

    @property
    def control(self) -> str:
        """Name of the control."""
        ...

    @property
    def control_hz(self) -> float:
        """Actions a second."""
        ...


class Actor(Protocol):
    """Who can be tried."""

    @property
    def card(self) -> Made:
        """What it was made for."""
        ...

    def require_fit(self, observations: int, actions: int) -> None:
        """Raise `InputError` for worlds that show or take other numbers."""
        ...

    def begin(self) -> None:
        """Begin episodes in all rows."""
        ...

    def act(self, observations: Array) -> Array:
        """Return actions [n, m] for observations [n, k]."""
        ...
