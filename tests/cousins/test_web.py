"""A hostile server cannot hold a reader, and cannot send it elsewhere."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from cousins.errors import StoreError
from cousins.pack.stores.http import Config, build
from cousins.web import ALLOWED_HOSTS, WebError, WebLimits, opened

LIMITS = WebLimits(silence_s=5.0, headers_s=0.5, chunk_s=0.5, total_s=1.0)
KEY = "blobs/ab/cd"


@contextmanager
def served(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve every connection by a function of its socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def a_byte_at_a_time(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def slow_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def endless_continue(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.001)


def endless_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 100_000)
        time.sleep(0.02)


@pytest.mark.parametrize("answer", [a_byte_at_a_time, slow_headers, endless_continue, endless_body])
def test_a_server_that_never_ends_is_left(answer: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with served(answer) as address:
        store = build(Config(address=address, limits=LIMITS))
        with pytest.raises(StoreError, match=r"takes more than \d s for (headers|a part of the body)"):
            for _ in store.stream(KEY):
                pass
    assert time.monotonic() - began < 3.0


def redirect_to(target: str, connection: socket.socket) -> None:
    connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())


def short_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")


def test_a_redirect_to_another_host_is_refused_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(short_body) as other:
        target = other.replace("127.0.0.1", "localhost") + "/x"
        with served(lambda connection: redirect_to(target, connection)) as address:
            store = build(Config(address=address, limits=LIMITS))
            with pytest.raises(
                StoreError, match=f"a redirect from {address} to {target[:-2]}.*{ALLOWED_HOSTS}=localhost"
            ):
                store.size(KEY)
            monkeypatch.setenv(ALLOWED_HOSTS, "example.org, localhost")
            assert b"".join(store.stream(KEY)) == b"body"
            assert store.size(KEY) == 4
        with served(lambda connection: redirect_to(f"{other}/x", connection)) as address, opened(address) as answer:
            assert b"".join(answer.chunks()) == b"body"


def test_an_address_of_another_kind_is_never_followed() -> None:
    with (
        served(lambda connection: redirect_to("file:///etc/passwd", connection)) as address,
        pytest.raises((WebError, OSError)),
        opened(address, any_host=True),
    ):
        pass
