"""Build the wheel and write its bill of materials (CycloneDX 1.6, JSON) beside it: `make wheel`.

The bill lists what the wheel may bring: each package of base.txt as required, those of the extras as optional, with
version, licence and what needs what, as they are installed in this environment. It has the same bytes for the same
wheel and lock: no time, and a serial number that follows from the wheel's SHA-256.

    python -m supply_chain.wheel -o FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from supply_chain.licences import PROJECT, licence_of, name_of
from supply_chain.requirement_files import ROOT, SETS, TORCH_CUDA, normalised, read_pins

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "cousins", "sim", "flows")
"""What the wheel is built from."""
DEVELOPMENT_FILES = ("docs", "bench")
"""Lock files of what nobody gets who installs the wheel."""
DEVELOPMENT_EXTRAS = ("dev", "docs", "bench")
"""Extras that are for work on the project."""
SUFFIX = ".cdx.json"
"""What follows the wheel's name in the name of its bill."""
SOURCE_DATE = "315532800"
"""Date of all files in the wheel, 1980-01-01 in seconds since 1970."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the wheel and its bill")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(folder)
    bill = wheel.with_name(wheel.name + SUFFIX)
    bill.write_text(json.dumps(bill_of_materials(wheel, distributions()), indent=1) + "\n", encoding="utf-8")
    print(f"{wheel}\n{bill}")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the working tree into a folder, from a copy of the sources; return its path."""
    with tempfile.TemporaryDirectory() as scratch:
        source, wheels = Path(scratch, "source"), Path(scratch, "wheels")
        source.mkdir()
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / name, source / name)
        words = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel", "--no-deps"]
        words += ["--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(source)]
        environment = os.environ | {"SOURCE_DATE_EPOCH": SOURCE_DATE}
        subprocess.run(words, check=True, stdout=sys.stderr, env=environment)
        (wheel,) = wheels.glob(f"{PROJECT}-*.whl")
        return Path(shutil.move(wheel, folder / wheel.name))


def bill_of_materials(wheel: Path, installed: Iterable[Distribution]) -> dict[str, Any]:
    """Return the bill of a wheel as a CycloneDX 1.6 document."""
    required = {pin.name for pin in read_pins("base")}
    listed = required | {pin.name for name in SETS if name not in DEVELOPMENT_FILES for pin in read_pins(name)}
    listed |= {pin.name for pin in read_pins(TORCH_CUDA)}
    packages = {name_of(package): package for package in installed}
    project = packages[PROJECT]
    shipped = {name: packages[name] for name in sorted(reachable(project, packages) & listed)}
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    root = component(project, scope="required") | {"hashes": [{"alg": "SHA-256", "content": digest}]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {"component": root},
        "components": [
            component(package, scope="required" if name in required else "optional")
            for name, package in shipped.items()
        ],
        "dependencies": [
            {
                "ref": reference(package),
                "dependsOn": [reference(shipped[name]) for name in sorted(requirements_of(package)) if name in shipped],
            }
            for package in (project, *shipped.values())
        ],
    }


def component(package: Distribution, *, scope: str) -> dict[str, Any]:
    """Return a package as a CycloneDX component."""
    licence = licence_of(package)
    return {
        "type": "library",
        "bom-ref": reference(package),
        "name": name_of(package),
        "version": package.version,
        "scope": scope,
        "purl": reference(package),
        "licenses": [{"expression": licence}] if licence else [],
    }


def reference(package: Distribution) -> str:
    """Return a package's URL as the specification of package URLs has it."""
    return f"pkg:pypi/{name_of(package)}@{package.version.replace('+', '%2B')}"


def requirements_of(package: Distribution) -> set[str]:
    """Return the normalised names of what a package needs; of the project, of what its extras need for use too."""
    left_out = DEVELOPMENT_EXTRAS if name_of(package) == PROJECT else ("",)
    return {
        normalised(requirement.name)
        for requirement in map(Requirement, package.requires or ())
        if not any(f'extra == "{extra}' in str(requirement.marker) for extra in left_out)
    }


def reachable(project: Distribution, packages: dict[str, Distribution]) -> set[str]:
    """Return the names of installed packages that the project or what it needs may import, the project apart."""
    pending, names = requirements_of(project), set[str]()
    while pending:
        name = pending.pop()
        if name in packages and name not in names:
            names.add(name)
            pending |= requirements_of(packages[name])
    return names - {PROJECT}


if __name__ == "__main__":
    main()
