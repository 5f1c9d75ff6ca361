"""Check a USD file for physics: ours or anybody's.

A check returns findings; each names its rule, the prim, what is wrong and how to mend it. Here the twin's own stage is
checked, and then a file with a rigid body that has no collider.
"""

import argparse
import tempfile
from pathlib import Path

import cousins

BROKEN = """#usda 1.0
( defaultPrim = "World"
  metersPerUnit = 1
  upAxis = "Z" )
def Xform "World" {
    def Xform "Ghost" ( prepend apiSchemas = ["PhysicsRigidBodyAPI", "PhysicsMassAPI"] ) {
        float physics:mass = 1
    }
}
"""


def describe(finding: cousins.Finding) -> str:
    return f"{finding.severity}: {finding.where}: {finding.message} {finding.fix}"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder")
folder = parser.parse_args().out

print("the twin:", [finding.rule for finding in cousins.check(folder) if finding.severity == "error"] or "no errors")
with tempfile.TemporaryDirectory() as scratch:
    path = Path(scratch) / "broken.usda"
    path.write_text(BROKEN)
    print(*map(describe, cousins.check(path)), sep="\n")
