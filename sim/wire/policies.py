"""A policy behind a websocket, as an actor: openpi's protocol, with RoboArena's variant recognised by its metadata.

Three kinds of servers answer: those of `cousins policy serve`, whose metadata names columns, body and control; openpi's
that take `observation/state`; and RoboArena's, whose metadata is a PolicyServerConfig with `action_space`, which take
pictures. Observations go out raw, in SI units: normalisation is the server's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from sim.bodies.columns import Column, columns_from_records
from sim.train.actors import EnvRequirements
from sim.wire.codec import WireError
from sim.wire.connection import WireConnection

STATE_KEY: Final = "observation/state"
"""Key of the numbers that a policy sees."""
FIRST_ANSWER_TIMEOUT_S: Final = 600.0
"""Longest wait for the first answer [s]: servers compile for minutes."""
ANSWER_TIMEOUT_S: Final = 30.0
"""Longest wait for any other answer [s]."""
MAX_CHUNK: Final = 1000
"""Most actions of an answer."""
Variant = Literal["cousins", "openpi", "roboarena"]


@dataclass(frozen=True, kw_only=True)
class WireCard:
    """The environment that a policy behind a wire requires."""

    task: str
    """Name of the task."""
    body: str | None
    """Name of the body; None for the task's first."""
    control: str
    """Name of the control that its actions are for."""
    control_hz: float
    """Actions per second [Hz]."""
    columns: tuple[Column, ...] = ()
    """What it sees; empty where the server does not name it."""
    action_columns: tuple[Column, ...] = ()
    """What it does; empty where the server does not name it."""
    digest: str = ""
    """Digest of the pack of its training; empty where it is unknown."""


class WireClient:
    """Requests of a policy server, in the variant of its metadata."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = WireConnection(url)
        self.metadata = self.connection.metadata
        self.variant: Variant = "cousins" if "cousins" in self.metadata else "openpi"
        if "action_space" in self.metadata:
            self.variant = "roboarena"
        self._session = str(uuid.uuid4())
        self._has_answered = False

    def reset(self) -> None:
        """Begin an episode; a new session where the server has sessions. openpi's own servers know no reset."""
        self._session = str(uuid.uuid4())
        if self.variant != "openpi":
            answer = self.connection.ask(self._message({}, "reset"), timeout_s=FIRST_ANSWER_TIMEOUT_S)
            if not isinstance(answer, (str, dict)):
                raise WireError(f"an answer {type(answer).__name__} to a reset", expected="a text", hint="")

    def infer(self, observation: Mapping[str, Any], *, timeout_s: float | None = None) -> Array:
        """Return the actions of an observation: a chunk [h, m], or one for each of n rows [n, h, m]."""
        limit_s = timeout_s or (ANSWER_TIMEOUT_S if self._has_answered else FIRST_ANSWER_TIMEOUT_S)
        answer = self.connection.ask(self._message(dict(observation), "infer"), timeout_s=limit_s)
        if isinstance(answer, str):
            lines = [line for line in answer.strip().splitlines() if line.strip()]
            raise WireError(
                f"an error of the server at {self.url}: {lines[-1] if lines else 'without words'}"[:300],
                expected="actions",
                hint="Its own log has the whole traceback.",
            )
        actions = answer.get("actions") if isinstance(answer, dict) else answer
        self._has_answered = True
        return _sound_actions(actions, self.url)

    def reconnect(self) -> None:
        """Leave, and connect again: an answer that comes late finds nobody."""
        self.connection.close()
        self.connection = WireConnection(self.url)

    def close(self) -> None:
        """Leave."""
        self.connection.close()

    def _message(self, observation: dict[str, Any], endpoint: str) -> dict[str, Any]:
        """Return what is sent: keys beside the observation only where the metadata asks, for strict servers."""
        if self.variant == "openpi":
            return observation
        session = {"session_id": self._session} if self.metadata.get("needs_session_id") else {}
        return observation | {"endpoint": endpoint} | session


class WirePolicy:
    """An `Actor` behind a wire; a chunk of actions is executed to its end, or by its first `execute` actions."""

    def __init__(
        self,
        url: str,
        default: EnvRequirements,
        requested: Mapping[str, str | float | None],
        *,
        execute: int | None = None,
    ) -> None:
        """Connect; raises `InputError` for a server that sees what no environment of numbers shows."""
        self.client = WireClient(url)
        self.execute = execute
        self.metadata_card = _declared_card(self.client) if self.client.variant == "cousins" else None
        if self.client.variant == "roboarena":
            self.client.close()
            raise InputError(
                f"a RoboArena server at {url}, which takes {_cameras(self.client.metadata)} and the joints of a Panda",
                expected=f"a server that takes {STATE_KEY!r}",
                hint="Serve it for numbers, or run it with the cameras that it needs.",
            )
        self.card = self.metadata_card or WireCard(
            task=default.task,
            body=None if requested["body"] is None else str(requested["body"]),
            control=str(requested["control"] or default.control),
            control_hz=float(requested["control_hz"] or default.control_hz),
        )
        self._chunk: Array = np.zeros((0, 0, 0))
        self._next, self._sizes = 0, (0, 0)

    def require_fit(self, observations: int, actions: int) -> None:
        """Raise `InputError` where the server declares other numbers of observations or actions."""
        card = self.metadata_card
        if card is not None and (len(card.columns), len(card.action_columns)) != (observations, actions):
            raise InputError(
                f"worlds with {observations} observations and {actions} actions",
                expected=f"{len(card.columns)} and {len(card.action_columns)}, which the server declares",
                hint="Serve a policy of this task and body.",
            )
        self._sizes = (observations, actions)

    def begin(self) -> None:
        """Begin episodes in all rows: nothing is left of a chunk."""
        self._chunk = np.zeros((0, 0, 0))
        self._next = 0
        self.client.reset()

    def act(self, observations: Array) -> Array:
        """Return actions [n, m], clipped to [-1, 1], for observations [n, k]; asks where the chunk is used up."""
        if self._next >= self._chunk.shape[1] or len(self._chunk) != len(observations):
            self._chunk, self._next = self.chunks(observations), 0
        self._next += 1
        return np.clip(self._chunk[:, self._next - 1], -1.0, 1.0)

    def chunks(self, observations: Array, *, timeout_s: float | None = None) -> Array:
        """Return the chunks of actions [n, h, m] of observations [n, k]; raises `InputError` for other sizes."""
        state = np.asarray(observations, dtype=np.float32)
        if self.client.variant == "cousins":
            answers = self.client.infer({STATE_KEY: state}, timeout_s=timeout_s)
        else:
            rows = [self.client.infer({STATE_KEY: row, "prompt": self._prompt()}, timeout_s=timeout_s) for row in state]
            if len({row.shape for row in rows}) != 1:
                raise WireError("chunks of different lengths", expected="one length", hint="")
            answers = np.stack(rows)
        if answers.ndim != 3 or len(answers) != len(state) or (self._sizes[1] and answers.shape[2] != self._sizes[1]):
            raise WireError(
                f"actions of shape {answers.shape}",
                expected=f"{self._sizes[1]} numbers for each action of {self.card.task}",
                hint="Serve a policy of this task, body and control.",
            )
        return answers[:, : self.execute]

    def _prompt(self) -> str:
        return self.card.task.replace("_", " ")


def _declared_card(client: WireClient) -> WireCard:
    """Return the card of a server of `cousins policy serve`; raises `WireError` for a damaged one."""
    record = client.metadata["cousins"]
    try:
        return WireCard(
            task=str(record["task"]),
            body=None if record["body"] is None else str(record["body"]),
            control=str(record["control"]),
            control_hz=float(record["control_hz"]),
            columns=columns_from_records(record["columns"]),
            action_columns=columns_from_records(record["action_columns"]),
            digest=str(record["pack_digest"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(
            f"metadata of {client.url} that cannot be read ({error})",
            expected="those of `cousins policy serve`",
            hint="Serve it with this version.",
        ) from error


def _sound_actions(actions: Any, url: str) -> Array:
    """Return actions as numbers [h, m] or [n, h, m]; raises `WireError` for anything else."""
    is_numbers = isinstance(actions, np.ndarray) and actions.dtype.kind in "fiu"
    values = np.asarray(actions, dtype=np.float64) if is_numbers else np.zeros(0)
    values = values[None] if values.ndim == 1 and is_numbers else values
    if values.ndim not in (2, 3) or not 0 < values.shape[-2] <= MAX_CHUNK or not np.isfinite(values).all():
        raise WireError(
            f"actions of {url} that are no finite numbers, or none, or more than {MAX_CHUNK}",
            expected="`actions`, an array of shape (chunk, numbers)",
            hint="Is it a policy server of openpi's protocol?",
        )
    return values


def _cameras(metadata: Mapping[str, Any]) -> str:
    count = metadata.get("n_external_cameras", 0)
    wrist = " and one at the wrist" if metadata.get("needs_wrist_camera") else ""
    return f"{count} outer cameras{wrist}"
