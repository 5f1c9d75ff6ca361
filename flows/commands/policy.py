"""`cousins policy serve POLICY`: a policy folder as a server of openpi's websocket protocol."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cousins.extras import requires_extra


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `cousins policy`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    purpose = "answer observations with actions until interrupted; prints the address first"
    serve = actions.add_parser("serve", help=purpose, description=purpose, allow_abbrev=False)
    serve.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    serve.add_argument("policy", type=Path, metavar="POLICY", help="policy folder, as `cousins train` writes it")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; anyone who reaches it may ask (127.0.0.1)"
    )
    serve.add_argument("--port", type=int, default=8000, help="port to listen on; 0 picks one (8000)")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Serve until interrupted."""
    with requires_extra("rl"):
        from sim.train.policies import read_policy
    with requires_extra("cells"):
        from sim.wire.server import policy_digest, serve_policy
    policy, digest = read_policy(arguments.policy), policy_digest(arguments.policy)
    addresses: list[str] = []
    server = serve_policy(policy, digest, host=arguments.host, port=arguments.port, ready=addresses.append)
    sys.stderr.write(f"{policy.card.task} for {policy.card.body} at {addresses[0]}\n")
    sys.stderr.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.shutdown()
    return {"url": addresses[0], "policy": str(arguments.policy), "policy_digest": digest}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    return f"served {result['policy']} at {result['url']}"
