"""One websocket to a server of openpi's kind: its first frame is metadata, then each request has one answer."""

from __future__ import annotations

import threading
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from cousins.errors import CellError, InputError
from sim.wire.codec import MAX_FRAME_BYTES, WireError, pack, unpack

CONNECT_TIMEOUT_S: Final = 10.0
"""Longest time to reach a server and get its metadata [s]."""


class WireConnection:
    """An open connection; after an error or a time-out it is closed, so that no late answer meets a later request."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        """Connect and read the metadata; raises `InputError` where nobody answers."""
        self.url = url
        headers = {} if api_key is None else {"Authorization": f"Api-Key {api_key}"}
        try:
            self._socket: ClientConnection = connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                open_timeout=CONNECT_TIMEOUT_S,
                ping_interval=None,
            )
            first = self._socket.recv(timeout=CONNECT_TIMEOUT_S)
        except (OSError, InvalidURI, InvalidHandshake, ConnectionClosed) as error:
            raise InputError(
                f"no server at {url} ({type(error).__name__}: {error})"[:300],
                expected="one that answers, such as `cousins policy serve POLICY` prints",
                hint="Is it running, and is the address ws://HOST:PORT?",
            ) from error
        metadata = unpack(first) if isinstance(first, bytes) else None
        if not isinstance(metadata, dict):
            self.close()
            raise WireError(f"a first frame of {url} without metadata", expected="a map in msgpack", hint="")
        self.metadata: dict[str, Any] = metadata
        self._lock = threading.Lock()

    def ask(self, message: Any, *, timeout_s: float | None) -> Any:
        """Return the answer to a message; a text is returned as it is.

        Raises `CellError` where none comes in time or the server leaves, and closes the connection then.
        """
        data = pack(message)
        with self._lock:
            try:
                self._socket.send(data)
                answer = self._socket.recv(timeout=timeout_s)
            except TimeoutError as error:
                self._drop()
                raise CellError(f"no answer from {self.url} within {timeout_s} s", kind="late answer") from error
            except (ConnectionClosed, OSError) as error:
                raise CellError(f"{self.url} is gone ({error})", kind="link lost") from error
        return answer if isinstance(answer, str) else unpack(answer)

    def close(self, *, farewell: Any = None) -> None:
        """Leave, with a last message where one is given."""
        try:
            if farewell is not None:
                self._socket.send(pack(farewell))
                self._socket.recv(timeout=0.5)
        except (ConnectionClosed, OSError, TimeoutError):
            return
        finally:
            self._socket.close()

    def _drop(self) -> None:
        """Cut the connection without waiting for the other side, which may be frozen."""
        self._socket.close_timeout = 0.0
        self._socket.close()
