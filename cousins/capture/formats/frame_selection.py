"""Select the frames of an export: subsample too many, skip a few broken ones, and record a warning for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from cousins.errors import CaptureError

MAX_KEPT_FRAMES = 400
"""Maximum number of frames kept: 40 s at 10 Hz, at which a walking person moves the phone 10 cm per frame; a higher
rate shows the same surface again."""
MAX_BROKEN_SHARE = 0.1
"""Largest share of broken frames: beyond it the whole recording is rejected."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def subsample(
    items: Sequence[Item],
    warnings: list[str],
    *,
    max_count: int = MAX_KEPT_FRAMES,
    prefer: Callable[[Item], bool] | None = None,
) -> list[Item]:
    """Return at most `max_count` items, evenly spaced; of each interval the first preferred one; append a warning."""
    if len(items) <= max_count:
        return list(items)
    selected = []
    for index in range(max_count):
        interval = items[index * len(items) // max_count : (index + 1) * len(items) // max_count]
        preferred = [item for item in interval if prefer is not None and prefer(item)]
        selected.append(preferred[0] if preferred else interval[0])
    warnings.append(f"{len(items)} frames were thinned to {max_count}, evenly spread.")
    return selected


def read_valid(items: Sequence[Item], read: Callable[[Item], Result], warnings: list[str]) -> list[Result]:
    """Return `read(item)` of each item; items that raise CaptureError are skipped and counted in a warning.

    Re-raises the error where more than `MAX_BROKEN_SHARE` are broken. The warning names no files, since file names may
    identify a person.
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
