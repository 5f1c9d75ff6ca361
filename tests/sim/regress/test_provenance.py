"""The digest of the code covers all of the project's modules that a run imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from cousins.regress.suites import PolicySpec
from sim.regress.policies import policy_digest
from sim.regress.provenance import HARMLESS, code_files, cpu_digest, engine_version
from tests.sim.regress.suites_for_tests import ROOT, boxes_pack, write_suite

PROGRAM = """
import json, sys
from sim.regress.worker import Simulator
replies = list(Simulator().replies(json.loads(sys.argv[1])))
assert replies[0]["gates"]["values"] and replies[1]["episode"]["steps"] > 0, replies
names = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] in ("cousins", "sim")]
print(json.dumps([name for name in names if name]))
"""


def test_every_module_that_a_run_imports_is_in_the_digest_of_the_code(tmp_path: Path) -> None:
    boxes_pack(tmp_path / "pack", count=1)
    write_suite(tmp_path)
    request = {
        "pack": str(tmp_path / "pack"),
        "policy": asdict(PolicySpec(path=str(tmp_path / "policy.py"))),
        "task": "push",
        "engine": "mujoco",
        "seed": 0,
        "cousins": [1],
        "gates": [[1, None]],
        "episodes": [[1, 0, None]],
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(request)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {Path(name).relative_to(ROOT).as_posix() for name in json.loads(done.stdout.splitlines()[-1])}
    covered = {path.relative_to(ROOT).as_posix() for path in code_files(ROOT)}
    assert len(imported & covered) > 50
    assert {name for name in imported - covered if not name.startswith(HARMLESS)} == set()


def test_the_digest_of_a_python_policy_follows_its_imports_beside_it(tmp_path: Path) -> None:
    policy, helper, other = (tmp_path / name for name in ("policy.py", "helper.py", "other.py"))
    policy.write_text("import helper\ndef act(observations): return helper.zero(observations)\n")
    helper.write_text("def zero(x): return 0 * x\n")
    spec = PolicySpec(path=f"{policy}:act")
    before = policy_digest(spec)
    other.write_text("changed = 1\n")
    assert policy_digest(spec) == before
    helper.write_text("def zero(x): return 0.0 * x\n")
    assert policy_digest(spec) != before
    assert policy_digest(PolicySpec(path=f"{policy}:act", control="joint_delta")) != policy_digest(spec)


def test_engine_and_cpu_are_described() -> None:
    assert engine_version("mujoco").startswith("3.")
    assert engine_version("no-such-engine") == "absent"
    assert len(cpu_digest()) == 12
