"""Bring a policy and a cell together: whatever does not fit is refused before anything moves, with what to do."""

from __future__ import annotations

from cousins.errors import InputError
from sim.bodies.body import Body
from sim.cells.acting import CellActions
from sim.cells.cell import CellSpec
from sim.cells.running import ActionSource, LocalActions
from sim.cells.wire_actions import WireActions
from sim.envs.make_env import CONTROLS
from sim.train.actors import Actor
from sim.wire.policies import WirePolicy


def prepare(
    policy: Actor, spec: CellSpec, body: Body, *, execute: int | None = None
) -> tuple[CellActions, ActionSource]:
    """Return what fills a policy's columns on a cell, and what decides; raises `InputError` where they do not fit."""
    card = policy.card
    if spec.body != body.name or (card.body is not None and card.body != spec.body):
        raise _misfit("body", f"{card.body!r}", spec, f"{spec.body!r}", "Train for the body of the cell.")
    if card.control_hz != spec.control_hz:
        hint = "Set control_hz in the cell's file, or train at the cell's rate with --control-hz."
        raise _misfit("rate", f"{card.control_hz} Hz", spec, f"{spec.control_hz} Hz", hint)
    require_pack(policy, spec)
    if card.control not in CONTROLS:
        raise _misfit("control", repr(card.control), spec, f"one of {', '.join(CONTROLS)}", "Serve one of them.")
    actions = CellActions(spec, body, CONTROLS[card.control](body), getattr(card, "columns", ()))
    policy.require_fit(len(actions.columns), len(actions.actions))
    if isinstance(policy, WirePolicy):
        policy.execute = execute
        return actions, WireActions(policy, control_hz=spec.control_hz)
    if execute is not None:
        raise InputError(
            "--execute for a policy in this process", expected="none", hint="It gives one action at a time."
        )
    return actions, LocalActions(policy)


def require_pack(policy: Actor, spec: CellSpec) -> None:
    """Raise `InputError` for a policy of another pack than that of the place where the cell stands."""
    digest = getattr(policy.card, "digest", "")
    if spec.pack_digest and digest and digest != spec.pack_digest:
        raise InputError(
            f"a policy that was trained in the pack {digest[:12]}…",
            expected=f"{spec.pack_digest[:12]}…, the pack of the place where {spec.name} stands",
            hint="The place was scanned again, or the pack made again: train in the new one, or name the old one.",
        )


def _misfit(field: str, declared: str, spec: CellSpec, expected: str, hint: str) -> InputError:
    return InputError(
        f"a policy for the {field} {declared}", expected=f"{expected}, as the cell {spec.name} has", hint=hint
    )
