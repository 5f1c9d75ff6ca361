"""The result type of checkers: findings with a rule id, a location and a suggested fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem or remark that a checker reports."""

    rule: str
    """Stable id of the rule, such as `rigid-body-without-collider`."""
    severity: Literal["error", "warning", "info"]
    """`error` fails the check."""
    where: str
    """Location: the frame, prim path, file or object concerned."""
    message: str
    """Description of the problem, with the measured value."""
    fix: str
    """What the user can do about it."""
