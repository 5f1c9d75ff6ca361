"""Resolve all extras for Python 3.11 and 3.12 on x86-64 Linux and write `requirements/*.txt` with hashes: `make lock`.

Versions that the files hold already are kept unless a name is given with `--upgrade`; wheels only. uv resolves, in an
environment of its own, and asks the package index that it is configured for. The hash of PyTorch's build without CUDA,
which no index lists beside the other, is taken from its wheel with `--torch-cpu`.

    python -m supply_chain.lock [--upgrade NAME ...] [--torch-cpu WHEEL] [--uv PROGRAM]
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from supply_chain.requirement_files import (
    CUDA_NAMES,
    FILES,
    FOLDER,
    ROOT,
    SETS,
    TORCH_CPU,
    TORCH_CUDA,
    Pin,
    normalised,
    parse_pins,
    read_pins,
    write_pins,
)

OLDEST_PYTHON = "3.11.5"
"""Oldest interpreter that every package takes."""
HEADINGS = {
    "base": "What `pip install cousins` needs.",
    "run": "What `make demo` needs beyond base.txt.",
    "dev": "What tests and lint need beyond run.txt.",
    "docs": "What the site needs beyond dev.txt.",
    "bench": "What benchmarks need beyond dev.txt.",
    "sam": "What prompted segmentation needs beyond dev.txt.",
    TORCH_CPU: "PyTorch's build without CUDA; instead of torch-cuda.txt.",
    TORCH_CUDA: "PyTorch as the package index has it; instead of torch-cpu.txt.",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", nargs="*", default=(), metavar="NAME", help="packages whose versions may change")
    parser.add_argument("--torch-cpu", type=Path, metavar="WHEEL", help="PyTorch's wheel without CUDA")
    parser.add_argument("--uv", default="uv", help="the program uv")
    arguments = parser.parse_args()
    write_lock(uv=arguments.uv, upgrade=tuple(map(normalised, arguments.upgrade)))
    if arguments.torch_cpu is not None:
        write_pins(TORCH_CPU, [wheel_pin(arguments.torch_cpu)], heading=HEADINGS[TORCH_CPU])


def write_lock(*, uv: str, upgrade: Sequence[str]) -> None:
    """Resolve every set and write its file."""
    kept = [pin for pin in present_pins() if pin.name not in upgrade]
    every_extra = sorted({extra for extras in SETS.values() for extra in extras})
    pins = {pin.name: pin for pin in resolve(uv, every_extra, kept)}
    assigned: set[str] = {name for name in pins if CUDA_NAMES.fullmatch(name)}
    write_pins(TORCH_CUDA, [pins[name] for name in assigned], heading=HEADINGS[TORCH_CUDA])
    for name, extras in SETS.items():
        needed = {pin.name for pin in resolve(uv, extras, pins.values())}
        write_pins(name, [pins[package] for package in needed - assigned], heading=HEADINGS[name])
        assigned |= needed


def present_pins() -> list[Pin]:
    """Return what the files pin now, PyTorch's build without CUDA apart."""
    return [
        pin for name in FILES if name != TORCH_CPU and (FOLDER / f"{name}.txt").is_file() for pin in read_pins(name)
    ]


def resolve(uv: str, extras: Iterable[str], kept: Iterable[Pin]) -> tuple[Pin, ...]:
    """Return the pins that uv resolves for extras, with the versions of `kept` where it pins them."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, output = Path(folder, "constraints.txt"), Path(folder, "pins.txt")
        constraints.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in kept), encoding="utf-8")
        words = [uv, "pip", "compile", "pyproject.toml", "--universal", "--python-version", OLDEST_PYTHON, "--quiet"]
        words += ["--only-binary", ":all:", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        words += [word for extra in extras for word in ("--extra", extra)]
        subprocess.run([*words, "-c", str(constraints), "-o", str(output)], cwd=ROOT, check=True)
        return tuple(replace(pin, marker=short_marker(pin.marker)) for pin in parse_pins(output.read_text("utf-8")))


def short_marker(marker: str) -> str:
    """Return a marker without what holds of every environment that the lock is made for."""
    if "python_full_version < '3.12'" in marker:
        return "python_version < '3.12'"
    if "python_full_version >= '3.12'" in marker:
        return "python_version >= '3.12'"
    return ""


def wheel_pin(wheel: Path) -> Pin:
    """Return the pin of one wheel file, with its own hash."""
    name, version = re.match(r"([^-]+)-([^-]+)-", wheel.name).groups()  # type: ignore[union-attr]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Pin(name=normalised(name), version=version, marker="", hashes=(digest,))


if __name__ == "__main__":
    main()
