"""Serve a policy by openpi's protocol: metadata first, then a map of actions for each map of observations.

Requests hold `observation/state`, one observation [k] or rows [n, k] in the order of the columns in the metadata. An
error is sent as a text, after which the connection is closed with code 1011, as openpi's own server does. `/healthz`
answers over plain HTTP.
"""

from __future__ import annotations

import hashlib
import threading
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from cousins.errors import CousinsError, InputError
from cousins.geometry import Array
from sim.bodies.columns import column_records
from sim.train.policies import ARRAYS_FILE, CARD_FILE, Policy
from sim.wire.codec import MAX_FRAME_BYTES, pack, unpack
from sim.wire.policies import STATE_KEY

RESET_ANSWER = "reset successful"
"""Text that RoboArena's servers answer to a reset."""


def policy_digest(folder: Path) -> str:
    """Return the SHA-256 of a policy's files, one after the other."""
    data = b"".join((folder / name).read_bytes() for name in (CARD_FILE, ARRAYS_FILE))
    return hashlib.sha256(data).hexdigest()


def metadata_of(policy: Policy, digest: str) -> dict[str, Any]:
    """Return the metadata of a served policy; raises `InputError` where its card does not name its columns."""
    card = policy.card
    if not card.columns:
        raise InputError(
            "a policy whose card does not name its columns",
            expected="name, unit and sources of every number that it sees",
            hint="Train it again with this version: older cards have no names.",
        )
    return {
        "cousins": {
            "policy_digest": digest,
            "pack_digest": card.digest,
            "task": card.task,
            "body": card.body,
            "control": card.control,
            "control_hz": card.control_hz,
            "columns": column_records(card.columns),
            "action_columns": column_records(card.action_columns),
        }
    }


def serve_policy(
    policy: Policy, digest: str, *, host: str, port: int, ready: Callable[[str], None] = lambda _: None
) -> Server:
    """Return a server that listens already; call its `serve_forever`. `ready` is called with its address."""
    metadata = pack(metadata_of(policy, digest))
    lock = threading.Lock()

    def handle(connection: ServerConnection) -> None:
        connection.send(metadata)
        try:
            for data in connection:
                with lock:
                    connection.send(_answer(policy, data))
        except ConnectionClosed:
            return
        except CousinsError:
            _fail(connection)

    try:
        server = serve(handle, host, port, compression=None, max_size=MAX_FRAME_BYTES, process_request=_health)
    except OSError as error:
        raise InputError(
            f"{host}:{port}, where nothing can listen ({error})",
            expected="a free port of this machine",
            hint="Give another --port.",
        ) from error
    address = server.socket.getsockname()
    ready(f"ws://{address[0]}:{address[1]}")
    return server


def _answer(policy: Policy, data: str | bytes) -> str | bytes:
    """Return the answer to a frame; raises `InputError` for a frame that asks for nothing known."""
    request = unpack(data) if isinstance(data, bytes) else None
    if not isinstance(request, dict):
        raise InputError("a frame that is no map", expected=f"a map with {STATE_KEY!r}", hint="")
    if request.get("endpoint", "infer") == "reset":
        policy.begin()
        return RESET_ANSWER
    state = _state(request, policy.card.observations)
    begun = time.perf_counter()
    actions = policy.act(np.atleast_2d(state).astype(np.float32))[:, None]
    infer_ms = 1e3 * (time.perf_counter() - begun)
    answer = actions.astype(np.float32) if state.ndim == 2 else actions[0].astype(np.float32)
    return pack({"actions": answer, "server_timing": {"infer_ms": infer_ms}})


def _state(request: dict[Any, Any], size: int) -> Array:
    """Return the observations of a request [size] or [n, size]; raises `InputError` for anything else."""
    state: Any = request.get(STATE_KEY)
    is_vector = isinstance(state, np.ndarray) and state.ndim in (1, 2) and state.shape[-1] == size
    if is_vector and state.dtype.kind == "f" and np.isfinite(state).all():
        return np.asarray(state)
    shape = state.shape if isinstance(state, np.ndarray) else sorted(map(str, request))
    raise InputError(
        f"{STATE_KEY!r} of {shape}",
        expected=f"{size} finite float numbers, or rows of them, in the order of the metadata's columns",
        hint="Send raw SI units.",
    )


def _fail(connection: ServerConnection) -> None:
    try:
        connection.send(traceback.format_exc())
        connection.close(1011, "internal error; the traceback is in the frame before")
    except ConnectionClosed:
        return


def _health(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/healthz":
        return connection.respond(HTTPStatus.OK, "OK\n")
    return None
