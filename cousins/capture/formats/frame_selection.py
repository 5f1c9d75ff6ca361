"""The frames of an export: thinned where there are too many, a few broken ones left out; both are counted aloud."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from cousins.errors import CaptureError

MAX_KEPT = 400
"""Most frames that are kept: 40 s at ten a second, at which a walking person moves the phone 10 cm; more frames of
the same time show the same surface again."""
MAX_BROKEN_SHARE = 0.1
"""Share of frames that may be broken: more, and the recording itself is not to be trusted."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def thinned(
    items: Sequence[Item],
    warnings: list[str],
    *,
    most: int = MAX_KEPT,
    prefer: Callable[[Item], bool] | None = None,
) -> list[Item]:
    """Return at most `most` items, evenly spread, of each stretch the first that is preferred; warn with the count."""
    if len(items) <= most:
        return list(items)
    kept = []
    for index in range(most):
        stretch = items[index * len(items) // most : (index + 1) * len(items) // most]
        chosen = [item for item in stretch if prefer is not None and prefer(item)]
        kept.append(chosen[0] if chosen else stretch[0])
    warnings.append(f"{len(items)} frames were thinned to {most}, evenly spread.")
    return kept


def each_good(items: Sequence[Item], read: Callable[[Item], Result], warnings: list[str]) -> list[Result]:
    """Return what `read` makes of each item; those it refuses are left out and counted, or all is refused.

    The warning names none by its file: that may tell whose it is.
    """
    allowed = int(MAX_BROKEN_SHARE * len(items))
    good: list[Result] = []
    broken: list[int] = []
    for number, item in enumerate(items):
        try:
            good.append(read(item))
        except CaptureError:
            broken.append(number)
            if len(broken) > allowed:
                raise
    if broken:
        warnings.append(f"{len(broken)} of {len(items)} frames are broken and were left out; the first is {broken[0]}.")
    return good
