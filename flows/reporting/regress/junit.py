"""A regression run as JUnit XML: a case for each test, with its provenance as properties."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

RED = ("regressed", "fault", "flaky")
"""States that are failures; `inconclusive` and `vacuous` are skipped."""
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""


def junit_xml(result: dict[str, Any]) -> str:
    """Return the run as JUnit XML."""
    tests = result["tests"]
    failures = [test for test in tests if test["state"] in RED and not test["quarantine"]]
    skipped = [test for test in tests if test["state"] != "pass" and test not in failures]
    counts = {"tests": str(len(tests)), "failures": str(len(failures)), "errors": "0", "skipped": str(len(skipped))}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": result["suite"], **counts, "time": f"{result['cpu_s']:.3f}"}
    )
    for test in tests:
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"cousins.regress.{result['suite']}", "name": test["test"], "time": "0"}
        )
        properties = ElementTree.SubElement(case, "properties")
        for name, value in _properties(result, test).items():
            ElementTree.SubElement(properties, "property", {"name": name, "value": _clean(str(value))})
        if test in failures:
            failure = ElementTree.SubElement(case, "failure", {"message": _clean(f"{test['state']}: {test['reason']}")})
            failure.text = _clean("\n".join(_repeats(result, test["test"])))
        elif test in skipped:
            quarantine = f"quarantine {test['quarantine']}; " if test["quarantine"] else ""
            message = _clean(f"{quarantine}{test['state']}: {test['reason']}")
            ElementTree.SubElement(case, "skipped", {"message": message})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _properties(result: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
    engine = test["test"].rpartition("-")[2]
    return {
        "cousins.pack": result["pack"]["digest"],
        "cousins.policy": result["policy_digest"],
        "cousins.engine": f"{engine} {result['engines'].get(engine, '')}".strip(),
        "cousins.cpu": result["cpu"],
        "cousins.code": result["code"],
        "cousins.level": test["level"],
        "cousins.pairs": test["pairs"],
        "cousins.losses": test["losses"],
        "cousins.gains": test["gains"],
    }


def _repeats(result: dict[str, Any], test: str) -> list[str]:
    return [loss["repeat"] for loss in result["losses"] if loss["test"] == test]


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
