"""Text for a terminal: what came from files must not move its cursor, change its colours or reorder its letters."""

from __future__ import annotations

import unicodedata
from typing import Final

_BIDIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Return the text with control characters, lone surrogates and marks of direction written as escapes."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(_escaped(letter) if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return letter not in "\n\t" and (unicodedata.category(letter) in ("Cc", "Cs") or letter in _BIDIRECTIONAL)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
