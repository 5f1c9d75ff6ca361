"""What a checker returns: findings, each with its rule, its place and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a checker has to say."""

    rule: str
    """Stable id of the rule, such as `rigid-body-without-collider`."""
    severity: Literal["error", "warning", "info"]
    """`error` fails the check."""
    where: str
    """Frame, prim path, file or object that it is about."""
    message: str
    """What is the matter, with the measured value."""
    fix: str
    """What the user can do about it."""
