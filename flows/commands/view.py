"""`cousins view PATH`: the report in the browser, served to this machine alone."""

from __future__ import annotations

import argparse
import functools
import http.server
import sys
import webbrowser
from pathlib import Path
from typing import Any

from cousins.errors import SceneError
from flows.commands.arguments import whole_number

LOOPBACK = "127.0.0.1"


class _Page(http.server.SimpleHTTPRequestHandler):
    """Serves the files inside one folder without a log, and refuses requests for other host names."""

    def send_head(self) -> Any:
        """Send the headers of a file inside the folder, wherever links lead; refuse everything else."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        path = Path(self.translate_path(self.path)).resolve()
        if host not in (LOOPBACK, "localhost"):
            self.send_error(403, "only for this machine")
            return None
        if not path.is_relative_to(Path(self.directory).resolve()) or not path.is_file():
            self.send_error(404, "no file of this scene")
            return None
        return super().send_head()

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins view`."""
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=0, help="port on the loopback interface; 0 takes a free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Serve until Ctrl-C."""
    path: Path = arguments.path
    folder = path.parent if path.name == "report.html" else path
    if not (folder / "report.html").is_file():
        raise SceneError(
            f"no report.html in {str(folder)!r}",
            expected="a scene folder that `cousins scan` wrote",
            hint="Make one: `cousins scan CAPTURE -o SCENE` or `cousins demo`.",
        )
    with server(folder, arguments.port) as running:
        address = f"http://{LOOPBACK}:{running.server_address[1]}/report.html"
        sys.stderr.write(f"{address}  (Ctrl-C ends)\n")
        if not arguments.no_browser:
            webbrowser.open(address)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            return {"served": address}, 0
    return {"served": address}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the address that was served."""
    return f"served {result['served']}"


def server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of one folder on the loopback interface; raises SceneError where the port is taken."""
    handler = functools.partial(_Page, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise SceneError(
            f"port {port} not free ({error.strerror})",
            expected="a free port",
            hint="Leave --port away to take any.",
        ) from error
