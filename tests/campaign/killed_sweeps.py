"""A sweep into a store that is killed (`kill -9`) at ten random moments ends with the bits of one that is left alone.

    python -m tests.campaign.killed_sweeps --count 100000

`count` points, in blocks of 64. A moment is any from the start of the process to a second after its first block.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import coldspot as cs
from coldspot import store

KILLS = 10
BLOCK = 64
SWEEP = """
import sys
import numpy as np
import coldspot as cs
from coldspot import store
store.BLOCK = {block}
grid = {{"level": np.linspace(-20.0, 20.0, int(sys.argv[2])), "left.temperature": np.linspace(5.0, 20.0, 10)}}
cs.sweep(cs.machines.QuantumDot(), grid, to=sys.argv[1])
"""


def begun(path: Path, levels: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SWEEP.format(block=BLOCK), str(path), str(levels)])


def blocks(path: Path) -> int:
    return len(list((path / "status").rglob("*"))) if path.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, levels, kills = np.random.default_rng(options.seed), max(options.count // 10, 1), 0
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole.zarr", Path(folder) / "killed.zarr"
        if begun(whole, levels).wait():
            raise SystemExit("the sweep that is left alone has failed")
        for turn in range(KILLS):
            process, known = begun(killed, levels), blocks(killed)
            # Some are killed before they write, the others while they do.
            while turn % 5 and process.poll() is None and blocks(killed) == known:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 1.0))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            if killed.exists():
                half = cs.load(killed)
                done = half.status.values != store.NOT_SOLVED
                print(f"kill {turn + 1}: {done.sum():,} of {done.size:,} points", flush=True)
                if not np.all(np.isfinite(half.heat.values[done])):
                    raise SystemExit("a block that was not written reads as one that was")
        if begun(killed, levels).wait():
            raise SystemExit("the sweep cannot be gone on with")
        found, expected = cs.load(killed), cs.load(whole)
        for name, variable in expected.data_vars.items():
            if found[name].values.tobytes() != variable.values.tobytes():
                raise SystemExit(f"`{name}` differs from that of the sweep that was left alone")
        print(f"{kills} kills; all {len(expected.data_vars)} variables equal, bit for bit", flush=True)


if __name__ == "__main__":
    main()
