"""Rewrite the `[files]` table of asset.toml: the SHA-256 of every file of an asset's folder.

Run it after any change of an asset; `tests/test_assets.py` compares the table with the files.

    python assets/list_files.py assets/demo_capture [FOLDER ...]
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def listed_files(folder: Path) -> dict[str, str]:
    """Return SHA-256 by path of every file below an asset's folder but asset.toml itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "asset.toml")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if "__pycache__" not in path.parts
    }


def main() -> None:
    """Rewrite the table of each folder that is named on the command line."""
    for name in sys.argv[1:]:
        record = Path(name) / "asset.toml"
        head = record.read_text(encoding="utf-8").split("[files]")[0]
        lines = [f'"{path}" = "{digest}"' for path, digest in listed_files(Path(name)).items()]
        record.write_text(head + "[files]\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
