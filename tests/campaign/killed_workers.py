"""Workers of a Dask cluster killed (`kill -9`) at ten random moments: the sweep ends with the bits of one here.

    python -m tests.campaign.killed_workers --count 100000

`count` points, in blocks of 64, by two workers, one of which is killed each time.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import coldspot as cs
from coldspot import store

KILLS = 10
BLOCK = 64


def main() -> None:
    import dask
    import distributed

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    store.BLOCK = BLOCK
    levels = np.linspace(-20.0, 20.0, max(options.count // 10, 1))
    grid, dot = {"level": levels, "left.temperature": np.linspace(5.0, 20.0, 10)}, cs.machines.QuantumDot()
    rng, kills, write, over = np.random.default_rng(options.seed), 0, store._write, threading.Event()
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}),  # a busy computer starts them late
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        here, there = Path(folder) / "here.zarr", Path(folder) / "there.zarr"
        whole = cs.sweep(dot, grid, to=here)
        written, blocks = [], len(list(store.blocks(*_shapes(levels.size))))
        at = set(np.sort(rng.choice(np.arange(1, blocks), min(KILLS, blocks - 1), replace=False)).tolist())

        def killer() -> None:
            nonlocal kills
            while not over.wait(0.01):
                if at and len(written) >= min(at):
                    at.discard(min(at))
                    time.sleep(rng.uniform(0.0, 0.2))
                    alive: list[int] = []
                    while not alive:  # the ones before may not be back yet
                        alive = list(client.run(os.getpid, on_error="ignore").values())
                        time.sleep(0.05)
                    os.kill(int(rng.choice(alive)), signal.SIGKILL)
                    kills += 1
                    print(f"kill {kills}: {len(written):,} of {blocks:,} blocks", flush=True)

        def noted(root: object, block: store.Block, solved: object) -> None:
            while at and len(written) >= min(at):  # the next one is killed while work is in hand
                time.sleep(0.01)
            write(root, block, solved)
            written.append(block)

        store._write = noted
        thread = threading.Thread(target=killer)
        thread.start()
        try:
            found = cs.sweep(dot, grid, to=there, client=client)
        finally:
            over.set()
            thread.join()
        if len(written) != blocks:
            raise SystemExit(f"{len(written)} blocks were written, of {blocks}")
        for name, variable in whole.data_vars.items():
            if found[name].values.tobytes() != variable.values.tobytes():
                raise SystemExit(f"`{name}` differs from that of the sweep here")
        print(f"{kills} kills; all {len(whole.data_vars)} variables equal, bit for bit", flush=True)


def _shapes(levels: int) -> tuple[dict[str, int], dict[str, int]]:
    lengths = {"level": levels, "left.temperature": 10}
    return lengths, store.plan(lengths)


if __name__ == "__main__":
    main()
