"""Policies as files: `policy.safetensors` holds the arrays, `policy.json` their layout and the required environment.

A policy runs with numpy alone, so an evaluation needs no learning library. The arrays also hold what a learner needs to
continue (critic, running statistics); the forward pass uses those that the card names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.publishing import write_atomic
from sim.bodies.columns import Column, columns_from_records

ARRAYS_FILE: Final = "policy.safetensors"
CARD_FILE: Final = "policy.json"
FORMAT: Final = "cousins policy 2"
NAMELESS_FORMAT: Final = "cousins policy 1"
"""Format of cards without names of columns, which are still read."""
OBSERVATION_MEAN: Final = "observation.mean"
OBSERVATION_VARIANCE: Final = "observation.var"
OBSERVATION_COUNT: Final = "observation.count"
NORMALISED_LIMIT: Final = 10.0
"""Largest magnitude of a normalised observation, in standard deviations."""
COLUMN_FIELDS: Final = frozenset(("columns", "action_columns"))
"""Fields of a card that older ones lack."""
_ACTIVATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "tanh": np.tanh,
    "relu": lambda value: np.asarray(np.maximum(value, 0.0)),
}


@dataclass(frozen=True, kw_only=True)
class PolicyCard:
    """Description of a policy: its network, the environment that it requires, and its training."""

    task: str
    """Name of the task."""
    body: str
    """Name of the body."""
    control: str
    """Name of the control that its actions are for."""
    control_hz: float
    """Actions per second [Hz]."""
    observations: int
    """Size of an observation."""
    actions: int
    """Size of an action; each number lies in [-1, 1]."""
    layers: tuple[tuple[str, str], ...]
    """Names of weight [out, in] and bias [out] of each layer, in order."""
    activation: str
    """Activation between the layers: `tanh` or `relu`."""
    squashed: bool
    """Whether a tanh follows the last layer; otherwise its output is clipped to [-1, 1]."""
    variance_floor: float
    """Added to the variance of each observation before normalisation."""
    algorithm: str
    """Name of the algorithm that trained it."""
    digest: str
    """Digest of the pack of its training."""
    seed: int
    """Seed of its training."""
    steps: int
    """Environment steps of its training, including those of the policy that it started from."""
    columns: tuple[Column, ...] = ()
    """Name, unit, frame and sources of each number of an observation; empty where the card is older than the names."""
    action_columns: tuple[Column, ...] = ()
    """Name, unit and frame of each number of an action; empty where the card is older than the names."""
    format: str = FORMAT
    """Version of the file format."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Policy:
    """A policy of arrays and a card."""

    card: PolicyCard
    """Its description."""
    arrays: Mapping[str, Array]
    """Arrays by name, including those that only a learner uses."""

    def act(self, observations: Array) -> Array:
        """Return the deterministic actions [n, actions] for observations [n, observations]."""
        scale = np.sqrt(self.arrays[OBSERVATION_VARIANCE] + self.card.variance_floor)
        value = np.clip((observations - self.arrays[OBSERVATION_MEAN]) / scale, -NORMALISED_LIMIT, NORMALISED_LIMIT)
        activation = _ACTIVATIONS[self.card.activation]
        last_layer = len(self.card.layers) - 1
        for number, (weight, bias) in enumerate(self.card.layers):
            value = value @ self.arrays[weight].T + self.arrays[bias]
            value = value if number == last_layer else activation(value)
        return np.asarray(np.tanh(value) if self.card.squashed else np.clip(value, -1.0, 1.0))

    def begin(self) -> None:
        """Begin episodes in all rows; the policy has no memory, so nothing is reset."""

    def require_fit(self, observations: int, actions: int) -> None:
        """Raise `InputError` for worlds with other numbers of observations or actions."""
        if (observations, actions) != (self.card.observations, self.card.actions):
            raise InputError(
                f"worlds with {observations} observations and {actions} actions",
                expected=f"{self.card.observations} and {self.card.actions}, which the policy was trained with",
                hint="The task has changed since: train again.",
            )


def require_columns(policy: Any, columns: Sequence[Column]) -> None:
    """Raise `InputError` where a policy names its columns and worlds have others, or have them in another order."""
    named: tuple[Column, ...] = getattr(policy.card, "columns", ())
    if not named or named == tuple(columns):
        return
    pairs = enumerate(zip_longest(named, columns))
    number, (trained, current) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    raise InputError(
        f"worlds whose column {number} is {_column_text(current)}",
        expected=f"{_column_text(trained)}, which the policy was trained with",
        hint="The task has changed since: train again.",
    )


def _column_text(column: Column | None) -> str:
    return "none" if column is None else f"{column.name} [{column.unit}]"


def write_policy(policy: Policy, folder: Path) -> None:
    """Write the files of a policy to a folder; existing ones are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(value, order="C") for name, value in policy.arrays.items()}
    write_atomic(folder / ARRAYS_FILE, save(arrays))
    write_atomic(folder / CARD_FILE, (json.dumps(asdict(policy.card), indent=1) + "\n").encode())


def read_policy(folder: Path) -> Policy:
    """Read the files that `write_policy` wrote; raises `InputError` for anything else."""
    if not (folder / CARD_FILE).is_file() or not (folder / ARRAYS_FILE).is_file():
        raise InputError(
            f"no {CARD_FILE} and {ARRAYS_FILE} in {os.fspath(folder)!r}",
            expected="a policy folder, as `cousins train` writes it",
            hint="Give the folder that was its -o.",
        )
    try:
        fields_read = json.loads((folder / CARD_FILE).read_bytes())
        _require_format(fields_read)
        card = _parse_card(fields_read)
        policy = Policy(card=card, arrays=load((folder / ARRAYS_FILE).read_bytes()))
        _require_consistent(policy)
    except (ValueError, KeyError, TypeError, SafetensorError, RecursionError) as error:
        raise InputError(
            f"a policy in {os.fspath(folder)!r} that cannot be read ({error})"[:300],
            expected=f"{CARD_FILE} and {ARRAYS_FILE} as they were written, {FORMAT}",
            hint="Train it again, or copy both files anew.",
        ) from error
    return policy


def _require_format(fields_read: Any) -> None:
    """Raise `InputError` for a card of another version of the format; one without a version is damaged."""
    version = fields_read.get("format") if isinstance(fields_read, dict) else None
    if isinstance(version, str) and version not in (FORMAT, NAMELESS_FORMAT):
        raise InputError(
            f"a policy of format {version[:40]!r}",
            expected=repr(FORMAT),
            hint="Type `pip install -U cousins`, or train again: `cousins train PACK --task TASK -o POLICY`.",
        )


def _parse_card(fields_read: Any) -> PolicyCard:
    names = {field.name for field in fields(PolicyCard)}
    if isinstance(fields_read, dict) and fields_read.get("format") == NAMELESS_FORMAT:
        names -= COLUMN_FIELDS
    elif not isinstance(fields_read, dict) or fields_read.get("format") != FORMAT:
        raise ValueError(f"its card is not of {FORMAT}")
    if set(fields_read) != names:
        raise ValueError(f"its card has other fields than {fields_read['format']}")
    layers = tuple((str(weight), str(bias)) for weight, bias in fields_read["layers"])
    columns = {name: columns_from_records(fields_read[name]) for name in names & COLUMN_FIELDS}
    card = PolicyCard(**{**fields_read, "layers": layers, **columns})
    texts = (card.task, card.body, card.control, card.activation, card.algorithm, card.digest)
    counts = (card.observations, card.actions, card.seed, card.steps)
    numbers = (card.control_hz, card.variance_floor)
    types_match = all(isinstance(text, str) for text in texts) and all(type(count) is int for count in counts)
    if not types_match or not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("a field of its card is of another kind")
    if card.activation not in _ACTIVATIONS:
        raise ValueError(f"activation {card.activation!r}")
    return card


def _require_consistent(policy: Policy) -> None:
    """Raise `ValueError` where columns or shapes of layers do not match, or a value is not finite."""
    card, arrays = policy.card, policy.arrays
    if card.format == FORMAT and (len(card.columns), len(card.action_columns)) != (card.observations, card.actions):
        raise ValueError("another number of columns than of observations or actions")
    size = card.observations
    if any(arrays[name].shape != (size,) for name in (OBSERVATION_MEAN, OBSERVATION_VARIANCE)):
        raise ValueError("means of another size than its observations")
    for weight, bias in card.layers:
        shape = arrays[weight].shape
        if len(shape) != 2 or shape[1] != size or arrays[bias].shape != shape[:1]:
            raise ValueError(f"layer {weight!r} does not fit")
        size = shape[0]
    if size != card.actions:
        raise ValueError("a last layer of another size than its actions")
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise ValueError("an array that is not finite")
