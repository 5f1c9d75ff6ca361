"""Reports of a regression run: the worst first, within their limits, and safe with hostile text."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from flows.reporting.regress.files import write_reports
from flows.reporting.regress.junit import junit_xml
from flows.reporting.regress.markdown import MAX_BYTES, summary_markdown
from flows.reporting.regress.page import MAX_FILM_BYTES, badge_svg, run_page
from flows.reporting.regress.text import run_text


def row_of(name: str, state: str, *, quarantine: str = "") -> dict[str, Any]:
    return {
        "test": name, "state": state, "level": "statistical", "reason": f"because of {name}", "planned": 240,
        "pairs": 120, "losses": 9, "gains": 1, "evidence": 120.0, "reused": 60, "audited": 6, "flips": 0,
        "golden": 4, "chaotic": 1, "quarantine": quarantine, "changed": ["policy", "2 of 12 cousins (3, 17)"],
    }  # fmt: skip


RESULT: dict[str, Any] = {
    "suite": "desk", "pack": {"name": "demo", "digest": "a" * 64}, "engines": {"mujoco": "3.17.0"}, "cpu": "b" * 12,
    "code": "c" * 64, "policy_digest": "d" * 64, "baseline_digest": "e" * 64, "exit_code": 1, "cpu_s": 12.0,
    "tests": [
        row_of("push-mujoco", "regressed"), row_of("gates-mujoco", "inconclusive"), row_of("lift-mujoco", "pass"),
        row_of("stack-mujoco", "flaky", quarantine="until 2027-01-01: https://example.org/1"),
    ],
    "cousins": [{"test": "push-mujoco", "cousin": 17, "pairs": 20, "losses": 9, "gains": 0, "p": 0.002}],
    "losses": [
        {"test": "push-mujoco", "cousin": 17, "start": 3, "failure": "lost", "fault": "",
         "repeat": "cousins regress show s.toml --episode push-mujoco:17:3"}
    ],
    "more_losses": 0, "notes": ["cousin 5 is left out"],
}  # fmt: skip


def test_the_terminal_shows_the_worst_first() -> None:
    lines = run_text(RESULT).splitlines()
    states = [line.split()[0] for line in lines[3:7]]
    assert states == ["regressed", "inconclusive", "pass", "flaky"]
    assert lines[-1].startswith("desk failed: 1 regressed, 1 inconclusive, 1 pass")
    assert "push-mujoco: changed since the baseline: policy, 2 of 12 cousins (3, 17)" in lines
    assert "since the baseline of push-mujoco: policy, 2 of 12 cousins (3, 17)" in summary_markdown(RESULT)
    assert "since the baseline of push-mujoco: policy, 2 of 12 cousins (3, 17)" in run_page(RESULT)
    assert any("cousin 17" in line and "p 0.002" in line for line in lines)


def test_junit_counts_red_as_failures_and_the_rest_as_skipped() -> None:
    root = ElementTree.fromstring(junit_xml(RESULT))
    assert {name: root.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "4", "failures": "1", "skipped": "2",
    }  # fmt: skip
    failure = next(root.iter("failure"))
    assert failure.get("message") == "regressed: because of push-mujoco"
    assert "--episode push-mujoco:17:3" in str(failure.text)
    values = {item.get("name"): item.get("value") for item in root.iter("property")}
    assert (values["cousins.pack"], values["cousins.engine"]) == ("a" * 64, "mujoco 3.17.0")


def test_a_summary_stays_below_what_a_job_may_write() -> None:
    large = copy.deepcopy(RESULT)
    large["notes"] = ["x" * 1500] * 2000
    text = summary_markdown(large)
    assert len(text.encode()) <= MAX_BYTES
    assert "more lines are in regress.json" in text
    assert "| 17 | push-mujoco | 9 | 0 | 20 | 0.002 |" in summary_markdown(RESULT)


def test_hostile_text_breaks_no_report() -> None:
    hostile = copy.deepcopy(RESULT)
    hostile["losses"][0]["fault"] = "</td><script>alert(1)</script>|`\n\x00"
    hostile["tests"][0]["reason"] = "</td><script>alert(1)</script>|`\n\x00"
    assert "<script>" not in run_page(hostile)
    assert "<script>" not in summary_markdown(hostile)
    row = next(line for line in summary_markdown(hostile).splitlines() if line.startswith("| regressed"))
    assert row.replace("\\|", "").count("|") == 8
    assert ElementTree.fromstring(junit_xml(hostile)).get("failures") == "1"


def test_films_lie_in_the_page_within_its_limit_and_not_in_the_json(tmp_path: Path) -> None:
    film = {"webp": "A" * 600_000, "success": False, "frames": 9, "fault": "", "caption": "<b>cousin 17</b>"}
    result = RESULT | {"films": [film] * 4}
    files = write_reports(result, tmp_path)
    page = Path(files["html"]).read_text()
    assert page.count("<img ") == 3
    assert "1 more films would not fit" in page
    assert "&lt;b&gt;cousin 17" in page
    assert len(page) < MAX_FILM_BYTES + 50_000
    assert json.loads(Path(files["json"]).read_text())["films"][0]["caption"] == film["caption"]
    assert "webp" not in Path(files["json"]).read_text()


def test_the_badge_is_an_image_with_the_verdict() -> None:
    for code, word in ((0, "pass"), (1, "failing"), (125, "unknown")):
        root = ElementTree.fromstring(badge_svg(RESULT | {"exit_code": code}))
        assert root.get("aria-label") == f"desk: {word}"
