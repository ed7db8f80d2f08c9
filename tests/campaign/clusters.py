"""Sweeps on workers that SSH or SLURM starts, against the same sweeps here, bit for bit.

    python -m tests.campaign.clusters --ssh HOST HOST …     the first host runs the scheduler; needs asyncssh
    python -m tests.campaign.clusters --slurm               two jobs of one core; needs dask-jobqueue
    python -m tests.campaign.clusters --slurm --cancel      and `scancel` of one of the two while it works

Without either, the workers are processes of this computer. `--ssh-options` takes Dask's `connect_options` as JSON.
"""

import argparse
import json
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from dask.distributed import Client, LocalCluster

import coldspot as cs


def cluster_of(options: argparse.Namespace) -> Any:
    if options.ssh:
        from dask.distributed import SSHCluster

        how = {"n_workers": 1, "nthreads": 1}
        return SSHCluster(options.ssh, connect_options=json.loads(options.ssh_options), worker_options=how)
    if options.slurm:
        from dask_jobqueue import SLURMCluster

        # What jobs print goes where nobody keeps it, not into the folder that they start in.
        quiet = {"log_directory": tempfile.mkdtemp(prefix="coldspot-jobs-"), "walltime": "00:10:00"}
        cluster = SLURMCluster(cores=1, processes=1, memory=options.memory, **quiet)
        cluster.scale(jobs=2)
        return cluster
    return LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)


def cancelled(cluster: Any, path: Path) -> None:
    """`scancel` one of the jobs as soon as the store is begun, and give a new one in its place."""
    while not path.exists():
        time.sleep(0.05)
    job = next(iter(cluster.workers.values())).job_id
    subprocess.run(["scancel", str(job)], check=True)
    print(f"job {job} cancelled", flush=True)
    cluster.scale(jobs=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=40_000, help="points of each sweep")
    parser.add_argument("--ssh", nargs="+", metavar="HOST")
    parser.add_argument("--ssh-options", default="{}", metavar="JSON")
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--cancel", action="store_true", help="one of the jobs while it works")
    parser.add_argument("--memory", default="3GB", help="of a job")
    options = parser.parse_args()
    machine = cs.machines.QuantumDot()
    grid = {"level": np.linspace(-20, 20, 200), "left.temperature": np.linspace(1, 20, max(options.count // 200, 1))}
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder) / "here.zarr", Path(folder) / "there.zarr"
        with cluster_of(options) as cluster, Client(cluster) as client:
            client.wait_for_workers(1)
            begun = time.perf_counter()
            swept = cs.sweep(machine, grid, client=client)
            if options.cancel:
                threading.Thread(target=cancelled, args=(cluster, there), daemon=True).start()
            stored = cs.sweep(machine, grid, to=there, client=client)
            print(f"{swept.status.size} points, twice, in {time.perf_counter() - begun:.1f} s: {client}", flush=True)
        if not swept.identical(cs.sweep(machine, grid)) or not stored.identical(cs.sweep(machine, grid, to=here)):
            raise SystemExit("not the same bits as here")
    print("the same bits as here")


if __name__ == "__main__":
    main()
