"""A regression run as one HTML page without scripts, and as a badge."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from flows.reporting.regress.text import changed_text, engines_text, verdict_text

COLORS: Final = {0: "#2e7d32", 1: "#c62828", 125: "#8a6d00"}
"""Colour by exit code."""
WORDS: Final = {0: "pass", 1: "failing", 125: "unknown"}
"""Word of the badge by exit code."""
STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.3rem; } table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
.pass { color: #2e7d32; } .regressed, .fault, .flaky { color: #c62828; } .inconclusive, .vacuous { color: #8a6d00; }
code { background: #f3f3f3; padding: 0 .2rem; } pre { white-space: pre-wrap; }
.films { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; width: 240px; }
figure img { width: 100%; border-radius: 4px; } figcaption { font-size: .85rem; }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #ddd; } code { background: #2a2a2a; } }
"""
"""Style of all pages of a suite."""
MAX_FILM_BYTES: Final = 2_000_000
"""Most base64 characters of all films of a page."""
_CHARACTER_PX: Final = 7
_PADDING_PX: Final = 10


def run_page(result: dict[str, Any]) -> str:
    """Return the run as one HTML page, with its films inside."""
    tests = html_table(
        ("state", "test", "level", "pairs", "lost", "gained", "reused", "reason"),
        [
            (
                f'<b class="{escape(test["state"])}">{escape(test["state"])}</b>'
                + (f" quarantine {escape(test['quarantine'])}" if test["quarantine"] else ""),
                escape(test["test"]),
                escape(test["level"]),
                f"{test['pairs']} of {test['planned']}",
                str(test["losses"]),
                str(test["gains"]),
                str(test["reused"]),
                escape(test["reason"]),
            )
            for test in result["tests"]
        ],
    )
    cousins = html_table(
        ("cousin", "test", "lost", "gained", "pairs", "p (Holm)"),
        [
            (str(row["cousin"]), escape(row["test"]), str(row["losses"]), str(row["gains"]), str(row["pairs"]),
             f"{row['p']:.2g}")
            for row in result["cousins"]
        ],
    )  # fmt: skip
    losses = html_table(
        ("lost episode", "failure", "repeat it"),
        [
            (
                escape(f"{loss['test']}, cousin {loss['cousin']}, start {loss['start']}"),
                escape(loss["fault"] or loss["failure"]),
                f"<code>{escape(loss['repeat'])}</code>",
            )
            for loss in result["losses"]
        ],
    )
    title = escape(verdict_text(result))
    facts = escape(
        f"Pack {result['pack']['name']} {result['pack']['digest'][:12]}; {engines_text(result)}; CPU {result['cpu']};"
        f" code {result['code'][:12]}; policy {result['policy_digest'][:12]};"
        f" baseline {result['baseline_digest'][:12] or 'none'}."
    )
    changed = "".join(
        f"<p>Changed since the baseline of {escape(test['test'])}: {escape(changed_text(test))}.</p>"
        for test in result["tests"]
        if test["changed"]
    )
    notes = "".join(f"<p>Note: {escape(note)}</p>" for note in result["notes"])
    films = films_html(result.get("films", []))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>"
        f"<body><h1>{title}</h1><p>{facts}</p>{tests}{changed}{notes}{films}{cousins}{losses}</body></html>\n"
    )


def films_html(films: list[dict[str, Any]]) -> str:
    """Return films side by side, each with its caption; those beyond `MAX_FILM_BYTES` in all are only counted."""
    figures, size = [], 0
    for film in films:
        size += len(film["webp"])
        if size <= MAX_FILM_BYTES:
            kind = "pass" if film["success"] else "regressed"
            figures.append(
                f'<figure><img alt="{escape(film["caption"])}" src="data:image/webp;base64,{escape(film["webp"])}">'
                f'<figcaption class="{kind}">{escape(film["caption"])}</figcaption></figure>'
            )
    more = f"<p>{len(films) - len(figures)} more films would not fit.</p>" if len(figures) < len(films) else ""
    return f'<div class="films">{"".join(figures)}</div>{more}' if films else ""


def badge_svg(result: dict[str, Any]) -> str:
    """Return a badge with the suite's name and the verdict."""
    name, word = result["suite"], WORDS[result["exit_code"]]
    left, right = (_CHARACTER_PX * len(text) + 2 * _PADDING_PX for text in (name, word))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{escape(name)}: {word}"><rect width="{left}" height="20" fill="#555"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{COLORS[result["exit_code"]]}"/>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{word}</text></g></svg>\n'
    )


def html_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table of cells that are HTML already; nothing without rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
