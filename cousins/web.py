"""Read from web servers that may be slow or hostile: least rate, deadlines, and no redirect to another host.

A socket's timeout bounds only the time between two bytes, so a server that sends a byte a second, or `100 Continue`
without end, would hold a reader for ever. Here a timer closes the connection.
"""

from __future__ import annotations

import functools
import http.client
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final
from urllib.parse import urlsplit

from cousins.errors import InputError

ALLOWED_HOSTS: Final = "COUSINS_REDIRECT_HOSTS"
"""Environment variable: hosts that servers may redirect to, separated by commas."""
CHUNK_BYTES: Final = 1 << 18
"""Bytes that are read at a time [bytes]."""


class WebError(InputError):
    """A server that is too slow, or that redirects to where it may not."""


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """How long a server may take."""

    silence_s: float = 30.0
    """Longest time between two bytes, and for connecting [s]."""
    headers_s: float = 60.0
    """Longest time until an answer's headers are complete [s]."""
    chunk_s: float = 30.0
    """Longest time for `CHUNK_BYTES` [s]: a least rate of 8.7 kB/s."""
    total_s: float = 3600.0
    """Longest time for an answer [s]; what came until then can be gone on from."""


class Answer:
    """An answer's status, headers and body."""

    def __init__(self, response: Any, watchdog: _Watchdog, limits: WebLimits) -> None:
        self.status: int = response.status
        self.headers: http.client.HTTPMessage = response.headers
        self._response = response
        self._watchdog = watchdog
        self._limits = limits

    def chunks(self) -> Iterator[bytes]:
        """Give the body in parts; raises `WebError` where it comes too slowly."""
        end = time.monotonic() + self._limits.total_s
        while True:
            with self._watchdog.within(
                min(self._limits.chunk_s, end - time.monotonic()), part_name="a part of the body"
            ):
                part: bytes = self._response.read(CHUNK_BYTES)
            if not part:
                return
            yield part


@contextmanager
def opened(
    address: str, *, start: int = 0, method: str = "GET", limits: WebLimits | None = None, any_host: bool = False
) -> Iterator[Answer]:
    """Open an address, its bytes from `start` on where the server knows ranges.

    Redirects go to the same host, to those of `COUSINS_REDIRECT_HOSTS`, or with `any_host` to any, never from https to
    http. Raises `WebError`, and the errors of urllib.
    """
    limits = limits or WebLimits()
    watchdog = _Watchdog()
    opener = urllib.request.build_opener(_Http(watchdog), _Https(watchdog), _Redirects(any_host=any_host))
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(address, headers=headers, method=method)
    try:
        with watchdog.within(limits.headers_s, part_name="headers"):
            response = opener.open(request, timeout=limits.silence_s)
        with response:
            yield Answer(response, watchdog, limits)
    finally:
        watchdog.close()


class _Watchdog:
    """Closes the connections of a request when its time is over."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._expired = False

    def connect(self, *arguments: Any, **named: Any) -> socket.socket:
        """Connect, and keep a second handle of the connection: TLS takes the first one over."""
        connection = socket.create_connection(*arguments, **named)
        self._sockets.append(connection.dup())
        if self._expired:
            self._cut()
        return connection

    @contextmanager
    def within(self, seconds: float, *, part_name: str) -> Iterator[None]:
        """Raise `WebError` unless the work inside ends in time."""
        timer = threading.Timer(max(seconds, 0.0), self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self._expired:
                raise _too_slow(part_name, seconds) from error
            raise
        finally:
            timer.cancel()
        if self._expired:
            raise _too_slow(part_name, seconds)

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()

    def _cut(self) -> None:
        self._expired = True
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, watchdog: _Watchdog, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = watchdog.connect


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, *arguments: Any, watchdog: _Watchdog, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._create_connection = watchdog.connect


class _Http(urllib.request.HTTPHandler):
    def __init__(self, watchdog: _Watchdog) -> None:
        super().__init__()
        self._connection = functools.partial(_Connection, watchdog=watchdog)

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, watchdog: _Watchdog) -> None:
        super().__init__()
        self._connection = functools.partial(_SecureConnection, watchdog=watchdog)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, *, any_host: bool) -> None:
        self._any_host = any_host

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        allowed = {old.hostname, *(name.strip() for name in os.environ.get(ALLOWED_HOSTS, "").split(","))}
        if (not self._any_host and new.hostname not in allowed) or (old.scheme, new.scheme) == ("https", "http"):
            raise WebError(
                f"a redirect from {old.scheme}://{old.netloc} to {new.scheme}://{new.netloc}"[:300],
                expected="an answer of the host that was named",
                hint=f"If you trust that one, type {ALLOWED_HOSTS}={(new.hostname or '')[:100]} before the command.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _too_slow(part_name: str, seconds: float) -> WebError:
    return WebError(
        f"a server that takes more than {max(seconds, 0.0):.0f} s for {part_name}",
        expected=f"{CHUNK_BYTES >> 10} kB in 30 s at least",
        hint="Type the same again: what came so far is kept. If it stays so, take another server.",
    )
