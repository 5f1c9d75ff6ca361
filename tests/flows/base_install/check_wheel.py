"""Install the wheel alone into a new environment and run every command there: `make base-check`, some minutes.

The wheel is built from a copy of the sources, so nothing is left in the working tree; pip asks the package index for
what `requirements/base.txt` lists. What
is run and expected is that of `test_base_install`, with the packages that pip really installs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from flows.cli import COMMANDS
from supply_chain.wheel import build_wheel
from tests.flows.base_install.commands import unexpected
from tests.flows.base_install.hidden_packages import ROOT
from tests.flows.base_install.inputs import write_inputs

SCRIPT = Path(__file__).with_name("commands.py")


def main() -> None:
    """Check the wheel; the exit code is 1 where a command fails without naming its extra."""
    with tempfile.TemporaryDirectory(prefix="cousins-base-check-") as folder:
        wrong = check_in(Path(folder))
    for text in wrong:
        sys.stdout.write(f"{text}\n")
    sys.stdout.write("not ok\n" if wrong else "ok: every command works or names its extra\n")
    sys.exit(1 if wrong else 0)


def check_in(folder: Path) -> list[str]:
    """Build, install and run in an empty folder; return what is wrong."""
    inputs, work = folder / "inputs", folder / "work"
    inputs.mkdir()
    work.mkdir()
    write_inputs(inputs)
    python = install(build_wheel(folder), folder / "venv")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HIDDEN_PACKAGES")}
    words = [str(python), str(SCRIPT), str(inputs), str(work)]
    done = subprocess.run(words, cwd=work, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return unexpected(json.loads(done.stdout), COMMANDS)


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel without extras into a new environment, check that the packages fit; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip(str(python), "install", "--require-hashes", "--no-deps", "-r", str(ROOT / "requirements/base.txt"))
    pip(str(python), "install", "--no-deps", "--no-index", str(wheel))
    pip(str(python), "check")
    return python


def pip(python: str, *words: str) -> None:
    """Run pip; raises `CalledProcessError`."""
    command = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
