"""Push in cousins with rsl_rl; its critic also observes masses, frictions and contacts.

Give a pack folder with `--pack`, or a twin's scene folder with `--out`. The run is short: it shows how the library
takes the rows, not how well it learns. `cousins train` is tuned, keeps checkpoints and resumes.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

import cousins

ROWS, STEPS = 8, 64


def learn(pack: Path) -> int:
    """Return the number of steps taken."""
    from rsl_rl.runners import OnPolicyRunner

    rows = cousins.make_env(
        pack=pack, task="push", split="train", num_envs=ROWS, autoreset="same_step", observations="groups"
    )
    settings = {
        "num_steps_per_env": STEPS,
        "save_interval": 100,
        "obs_groups": {"actor": ["policy"], "critic": ["policy", "privileged"]},
        "algorithm": {"class_name": "PPO"},
        "actor": {
            "class_name": "MLPModel",
            "hidden_dims": [64, 64],
            "distribution_cfg": {"class_name": "GaussianDistribution"},
        },
        "critic": {"class_name": "MLPModel", "hidden_dims": [64, 64]},
    }
    OnPolicyRunner(cousins.adapt_env(rows, "rsl_rl"), settings, device="cpu").learn(2)
    rows.close()
    return 2 * STEPS * ROWS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder")
    parser.add_argument("--out", type=Path, default=Path("out/twin"), help="scene folder of the twin")
    arguments = parser.parse_args()
    if importlib.util.find_spec("rsl_rl") is None:
        print("rsl_rl is not installed: pip install 'cousins[adapters]'")
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        pack = arguments.pack or Path(scratch) / "pack"
        if arguments.pack is None:
            cousins.make_pack(arguments.out, pack, count=8, seed=7)
        print(f"{learn(pack)} steps")
