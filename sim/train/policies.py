"""Policies as files: `policy.safetensors` holds arrays, `policy.json` tells what they are and what they were made for.

Numpy alone runs a policy, so whoever evaluates one needs no learning library. What a learner needs to go on (its
critic, its running means) lies among the same arrays; the forward pass uses those that the card names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cousins.errors import InputError
from cousins.geometry import Array

ARRAYS: Final = "policy.safetensors"
CARD: Final = "policy.json"
FORMAT: Final = "cousins policy 1"
MEAN: Final = "observation.mean"
VARIANCE: Final = "observation.var"
COUNT: Final = "observation.count"
FARTHEST: Final = 10.0
"""Observations are cut to so many deviations."""
_ACTIVATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "tanh": np.tanh,
    "relu": lambda value: np.asarray(np.maximum(value, 0.0)),
}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a policy is, and what it was made for."""

    task: str
    """Name of the task."""
    body: str
    """Name of the body."""
    control: str
    """Name of the control that its actions are for."""
    control_hz: float
    """Actions a second."""
    observations: int
    """Numbers that it sees."""
    actions: int
    """Numbers that it gives, each -1 to 1."""
    layers: tuple[tuple[str, str], ...]
    """Names of weight [out, in] and bias [out] of each layer, in order."""
    activation: str
    """Between the layers: tanh or relu."""
    squashed: bool
    """Whether a tanh follows the last layer; else its output is cut to the actions' range."""
    variance_floor: float
    """Added to each observation's variance before it is divided by."""
    algorithm: str
    """What trained it."""
    digest: str
    """Digest of the pack that it was trained in."""
    seed: int
    """Seed of its training."""
    steps: int
    """Environment steps of its training, of those that it started from too."""
    format: str = FORMAT
    """Version of these files."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Policy:
    """A policy that acts."""

    card: Card
    """What it is."""
    arrays: Mapping[str, Array]
    """By name; more than those of the forward pass."""

    def act(self, observations: Array) -> Array:
        """Return what it does, without chance, for observations [n, observations]: actions [n, actions]."""
        spread = np.sqrt(self.arrays[VARIANCE] + self.card.variance_floor)
        value = np.clip((observations - self.arrays[MEAN]) / spread, -FARTHEST, FARTHEST)
        bend = _ACTIVATIONS[self.card.activation]
        last = len(self.card.layers) - 1
        for number, (weight, bias) in enumerate(self.card.layers):
            value = value @ self.arrays[weight].T + self.arrays[bias]
            value = value if number == last else bend(value)
        return np.asarray(np.tanh(value) if self.card.squashed else np.clip(value, -1.0, 1.0))

    def begin(self) -> None:
        """Begin episodes in all rows: it remembers nothing."""

    def require_fit(self, observations: int, actions: int) -> None:
        """Raise `InputError` for worlds that show or take other numbers."""
        if (observations, actions) != (self.card.observations, self.card.actions):
            raise InputError(
                f"worlds with {observations} observations and {actions} actions",
                expected=f"{self.card.observations} and {self.card.actions}, which the policy was trained with",
                hint="The task has changed since: train again.",
            )


def write_policy(policy: Policy, folder: Path) -> None:
    """Write a policy's files; what was there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(value, order="C") for name, value in policy.arrays.items()}
    write_whole(folder / ARRAYS, save(arrays))
    write_whole(folder / CARD, (json.dumps(asdict(policy.card), indent=1) + "\n").encode())


def read_policy(folder: Path) -> Policy:
    """Read what `write_policy` wrote; raises `InputError` for anything else."""
    if not (folder / CARD).is_file() or not (folder / ARRAYS).is_file():
        raise InputError(
            f"no {CARD} and {ARRAYS} in {os.fspath(folder)!r}",
            expected="a policy folder, as `cousins train` writes it",
            hint="Give the folder that was its -o.",
        )
    try:
        card = _card(json.loads((folder / CARD).read_bytes()))
        policy = Policy(card=card, arrays=load((folder / ARRAYS).read_bytes()))
        _require_whole(policy)
    except (ValueError, KeyError, TypeError, SafetensorError, RecursionError) as error:
        raise InputError(
            f"a policy in {os.fspath(folder)!r} that cannot be read ({error})"[:300],
            expected=f"{CARD} and {ARRAYS} as they were written, {FORMAT}",
            hint="Train it again, or copy both files anew.",
        ) from error
    return policy


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _card(found: Any) -> Card:
    names = {field.name for field in fields(Card)}
    if not isinstance(found, dict) or found.get("format") != FORMAT or set(found) != names:
        raise ValueError(f"its card has other fields than {FORMAT}")
    card = Card(**{**found, "layers": tuple((str(weight), str(bias)) for weight, bias in found["layers"])})
    texts = (card.task, card.body, card.control, card.activation, card.algorithm, card.digest)
    counts = (card.observations, card.actions, card.seed, card.steps)
    numbers = (card.control_hz, card.variance_floor)
    whole = all(isinstance(text, str) for text in texts) and all(type(count) is int for count in counts)
    if not whole or not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("a field of its card is of another kind")
    if card.activation not in _ACTIVATIONS:
        raise ValueError(f"activation {card.activation!r}")
    return card


def _require_whole(policy: Policy) -> None:
    """Check that the layers fit one another, so that `act` cannot fail."""
    card, arrays = policy.card, policy.arrays
    size = card.observations
    if any(arrays[name].shape != (size,) for name in (MEAN, VARIANCE)):
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
