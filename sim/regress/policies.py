"""The policy of a suite: a folder or a Python file, and the digest of all that it is made of."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.regress.suites import PolicySpec, Suite
from cousins.store import file_digest, json_digest, manifest
from sim.train.actors import Actor
from sim.train.policies import read_policy
from sim.train.python_policies import PythonPolicy, PythonPolicyCard


def resolved_policy(suite: Suite) -> PolicySpec:
    """Return the policy with an absolute path; raises `InputError` where it is missing or cannot be run."""
    spec = suite.policy
    if spec.kind == "wire":
        raise InputError(
            f"the policy server {spec.path!r}",
            expected="a policy folder, or FILE.py:FUNCTION",
            hint="Servers cannot be tried in a suite yet: wrap the client in a Python file with `act(observations)`.",
        )
    file = spec.file_and_function[0] if spec.kind == "python" else spec.path
    path = (suite.folder / file).resolve()
    if not path.exists():
        raise InputError(
            f"no policy at {os.fspath(path)!r}",
            expected="a policy folder, or FILE.py:FUNCTION, relative to the suite file",
            hint="Mend `path` under [policy] in the suite.",
        )
    if spec.kind == "folder":
        _require_declared(spec, path)
        return replace(spec, path=os.fspath(path))
    return replace(spec, path=f"{os.fspath(path)}:{spec.file_and_function[1]}")


def load_actor(spec: PolicySpec, task: str) -> Actor:
    """Return the policy of a resolved description for a task; raises `InputError`."""
    if spec.kind == "folder":
        policy = read_policy(Path(spec.path))
        if policy.card.task != task:
            raise InputError(
                f"a policy that was trained for {policy.card.task!r}",
                expected=f"one for {task!r}",
                hint=f'Write tasks = ["{policy.card.task}"] in the suite, or name another policy.',
            )
        return policy
    file, function = spec.file_and_function
    settings = {"body": spec.body, "control": spec.control, "control_hz": spec.control_hz}
    options: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    return PythonPolicy(Path(file), PythonPolicyCard(task=task, **options), function=function)


def policy_digest(spec: PolicySpec) -> str:
    """Return the digest of a resolved policy: of all files of a folder, or of a Python file and what it imports.

    Of a Python file, modules that lie beside it are followed; other files that it reads are not.
    """
    settings = [spec.body, spec.control, spec.control_hz]
    if spec.kind == "folder":
        return json_digest([manifest(Path(spec.path)), settings])
    file, function = spec.file_and_function
    files = {path.name: file_digest(path) for path in sorted(_with_imports(Path(file)))}
    return json_digest([files, function, settings])


def _require_declared(spec: PolicySpec, path: Path) -> None:
    """Raise `InputError` where the suite sets what a policy folder declares itself."""
    if path.is_dir() and (spec.body, spec.control, spec.control_hz) != (None, None, None):
        raise InputError(
            "body, control or control_hz for a policy folder",
            expected="none of them: the folder declares its own",
            hint="Remove them from [policy] in the suite.",
        )


def _with_imports(file: Path) -> set[Path]:
    """Return a Python file and those beside it that it imports, directly or not."""
    files, waiting = {file}, [file]
    while waiting:
        try:
            tree = ast.parse(waiting.pop().read_bytes())
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                path = file.parent / (name.split(".")[0] + ".py")
                if path.is_file() and path not in files:
                    files.add(path)
                    waiting.append(path)
    return files
