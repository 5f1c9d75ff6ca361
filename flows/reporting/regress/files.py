"""The files of a regression run in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cousins.publishing import write_atomic
from flows.reporting.regress.junit import junit_xml
from flows.reporting.regress.markdown import summary_markdown
from flows.reporting.regress.page import badge_svg, run_page


def without_films(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without the images of its films, which are for pages."""
    films = [{name: value for name, value in film.items() if name != "webp"} for film in result.get("films", [])]
    return result | {"films": films}


def write_reports(result: dict[str, Any], folder: Path) -> dict[str, str]:
    """Write JSON, JUnit XML, an HTML page, a Markdown summary and a badge; return their paths by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "json": ("regress.json", json.dumps(without_films(result), indent=1, allow_nan=False) + "\n"),
        "junit": ("junit.xml", junit_xml(result)),
        "html": ("report.html", run_page(result)),
        "markdown": ("summary.md", summary_markdown(result)),
        "badge": ("badge.svg", badge_svg(result)),
    }
    for name, text in texts.values():
        write_atomic(folder / name, text.encode())
    return {kind: str(folder / name) for kind, (name, _) in texts.items()}
