"""Any phone export becomes a canonical capture folder, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from cousins.capture.archives import open_source
from cousins.capture.captures import Capture
from cousins.capture.readers import find_reader


def ingest(source: Path, destination: Path, *, format: str | None = None) -> Capture:
    """Read an export (folder or zip) into the new folder `destination`; `format` overrides what its files say.

    Raises ArchiveError for a broken or hostile zip, CaptureError for everything else that cannot be trusted,
    UnknownNameError for a format nobody reads.
    """
    with open_source(source) as files:
        reader, export = find_reader(files, format=format)
        return reader.read(export, destination)
