"""Hold the locked versions against the database of known vulnerabilities: `make audit`.

pip-audit asks the package index. Exit code 0 where nothing is known, 1 where something is, 3 where the database could
not be reached, so that a build can tell "nothing known" from "nobody asked".

    python -m supply_chain.audit
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supply_chain.requirement_files import SETS, TORCH_CUDA, read_pins

SECONDS = 600
"""Longest time that the whole audit may take [s]."""
VULNERABLE, UNREACHED = 1, 3
"""Exit codes."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text("".join(f"{line}\n" for line in locked_versions()), encoding="utf-8")
        words = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
        sys.exit(audit([*words, "--format", "json", "-r", str(requirements)]))


def locked_versions() -> list[str]:
    """Return every locked package as `name==version`, PyTorch as the package index has it."""
    return sorted(f"{pin.name}=={pin.version}" for name in (*SETS, TORCH_CUDA) for pin in read_pins(name))


def audit(words: Sequence[str]) -> int:
    """Run pip-audit by its command line, print what it found in words, and return the exit code."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return unreached(f"no answer within {SECONDS} s")
    except (json.JSONDecodeError, KeyError):
        return unreached(last_line(done.stderr))
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return unreached("it knows none of the packages")
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for fault in package["vulns"]:
            mended = ", ".join(fault["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {fault['id']}, mended in {mended}")
    for package in skipped:
        print(f"{package['name']}: not audited, {package['skip_reason']}")
    print(f"{len(packages)} packages, {len(vulnerable)} with known vulnerabilities, {len(skipped)} not audited")
    return VULNERABLE if vulnerable else 0


def unreached(reason: str) -> int:
    """Print that nothing was audited, and return the exit code of that."""
    print(f"nothing was audited: the database of vulnerabilities could not be reached ({reason}).")
    print("This says nothing about the packages. Run `make audit` again where the package index can be asked.")
    return UNREACHED


def last_line(text: str) -> str:
    """Return the last line of a program's messages, shortened; "no message" where there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


if __name__ == "__main__":
    main()
