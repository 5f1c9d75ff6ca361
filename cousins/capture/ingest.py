"""Ingest a phone export into a canonical capture folder, written atomically."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.decoders.archives import ExportFiles, open_export
from cousins.capture.formats.single_frame import SingleFilmFile, SingleFrameFiles, is_film, is_frame_image
from cousins.capture.io.capture_folder import load_capture
from cousins.capture.readers import find_reader


def ingest(source: Path, destination: Path, *, format: str | None = None) -> Capture:
    """Read an export (folder, zip, film, or an image of a single frame) into the new folder `destination`.

    `format` names the reader; None detects it from the file names.

    Raises ArchiveError for a broken or malicious zip, UnknownNameError for a format without a reader, and CaptureError
    for any other unusable export.
    """
    with _open_files(source) as files:
        reader, export = find_reader(files, format=format)
        return reader.read(export, destination)


def read_capture(source: Path | str, *, folder: Path | str | None = None, format: str | None = None) -> Capture:
    """Return the capture of an export of any known format, or of a canonical capture folder.

    The canonical capture is written to the new folder `folder`; where that is None it lies in a temporary folder that
    is removed when the process ends. Raises what `ingest` raises.
    """
    path = Path(source)
    if folder is None and format is None and (path / "capture.json").is_file():
        return load_capture(path)
    if folder is None:
        scratch = tempfile.mkdtemp(prefix="cousins-capture-")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        folder = Path(scratch) / "capture"
    ingest(path, Path(folder), format=format)
    return load_capture(Path(folder))


def _open_files(source: Path) -> AbstractContextManager[ExportFiles]:
    if is_frame_image(source):
        return nullcontext(SingleFrameFiles(source))
    return nullcontext(SingleFilmFile(source)) if is_film(source) else open_export(source)
