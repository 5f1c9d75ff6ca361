"""Any phone export becomes a canonical capture folder, whole or not at all."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.decoders.archives import Source, open_source
from cousins.capture.formats.single_frame import LoneFilm, PickedFrame, is_film, is_image_of_frame
from cousins.capture.readers import find_reader


def ingest(source: Path, destination: Path, *, format: str | None = None) -> Capture:
    """Read an export (folder, zip, film, or an image of a single frame) into the new folder `destination`.

    `format` overrides what its files say.

    Raises ArchiveError for a broken or hostile zip, CaptureError for everything else that cannot be trusted,
    UnknownNameError for a format nobody reads.
    """
    with _opened(source) as files:
        reader, export = find_reader(files, format=format)
        return reader.read(export, destination)


def _opened(source: Path) -> AbstractContextManager[Source]:
    if is_image_of_frame(source):
        return nullcontext(PickedFrame(source))
    return nullcontext(LoneFilm(source)) if is_film(source) else open_source(source)
