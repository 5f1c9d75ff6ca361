"""A web server of files on the loopback interface, with ranges, that can break off."""

from __future__ import annotations

from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves a folder; knows `Range: bytes=N-`."""

    ranges = True
    breaks_after: int | None = None
    """Bytes after which the connection is closed."""
    sent = 0
    """Bytes of all answers."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        range_header = self.headers.get("Range")
        start = int(range_header.removeprefix("bytes=").removesuffix("-")) if range_header and self.ranges else 0
        if start and start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:] if self.breaks_after is None else data[start : start + self.breaks_after]
        type(self).sent += len(body)
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Do not log."""
