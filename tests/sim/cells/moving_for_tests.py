"""A program that moves an arm to and fro for ever: `moving_for_tests.py PORT CALIBRATION FOLDER`."""

import math
import sys
import time
from pathlib import Path

from sim.cells.backends.feetech import Config
from sim.cells.cell import Target
from sim.cells.supervision import CellPlan, SupervisedCell


def main() -> None:
    port, calibration, folder = sys.argv[1:]
    config = Config(name="arm", port=port, calibration=Path(calibration), reply_timeout_s=0.1)
    with SupervisedCell(CellPlan(backend="feetech", config=config, folder=Path(folder))) as cell:
        start = cell.observe().q
        sys.stdout.write(f"{cell.process_ids['driver']}\n")
        sys.stdout.flush()
        cell.arm()
        begun = time.monotonic()
        for seq in range(10**9):
            cell.tick()
            cell.observe()
            goal = start + 0.4 * math.sin(2.0 * (time.monotonic() - begun))
            cell.send(Target(seq=seq, t_ns=time.monotonic_ns(), q=goal, valid_for_s=0.1))
            time.sleep(1.0 / 30.0)


if __name__ == "__main__":
    main()
