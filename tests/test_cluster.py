"""Sweeps by the workers of a Dask cluster: the bits of a sweep here, also when a worker is lost on the way."""

import importlib
import os
import signal
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import cluster, store
from coldspot.pytrees import opened
from tests.test_store import DOT, assert_same_bits

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")
dask = pytest.importorskip("dask")
sweep_module = sys.modules["coldspot.sweep"]

GRID = {"level": np.linspace(-20.0, -8.0, 20), "left.temperature": [-1.0, 9.0, 10.0, 11.0]}
"""In calls of 16 points, some of them invalid."""


@pytest.fixture(scope="module")
def worker():
    """A spawned process with one thread. Dask itself gives a piece up as soon as its worker is lost."""
    kept = {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in kept.items():
            environment.setenv(name, value)
        settings = {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.deploy.lost-worker-timeout": "10 minutes",  # a busy computer starts the next one late
            "logging.distributed": "critical",
        }
        with (
            dask.config.set(settings),
            distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as local,
            distributed.Client(local) as client,
        ):
            yield client


def test_the_bits_are_those_of_a_sweep_here_and_a_lost_worker_costs_only_time(worker, tmp_path, monkeypatch):
    """In memory; and into a store, with `kill -9` of the worker while it solves blocks."""
    monkeypatch.setattr(sweep_module, "SIZES", (16,))
    monkeypatch.setattr(store, "BLOCK", 16)
    here, there = cs.sweep(DOT, GRID), cs.sweep(DOT, GRID, client=worker)
    assert_same_bits(there, here)
    assert there.attrs == here.attrs
    assert sorted(set(here.status.values.ravel().tolist())) == [0, 1]
    whole = cs.sweep(DOT, GRID, to=tmp_path / "here.zarr")
    write, written, given = store._write, [], []
    begun = distributed.Client.submit

    def noted(client, function, *arguments, **options):
        given.append(function)
        return begun(client, function, *arguments, **options)

    def with_a_loss(root, block, solved):
        if len(written) == 1:
            for process in worker.run(os.getpid).values():
                os.kill(process, signal.SIGKILL)
        written.append(block)
        write(root, block, solved)

    monkeypatch.setattr(store, "_write", with_a_loss)
    monkeypatch.setattr(distributed.Client, "submit", noted)
    found = cs.sweep(DOT, GRID, to=tmp_path / "there.zarr", client=worker)
    assert_same_bits(found, whole)
    # The first block makes the store, and none is written twice. What the lost one had in hand is given out again, or
    # computed again by Dask where it was done and not yet fetched: which of the two is a matter of moments.
    assert len(written) == 5
    assert given.count(cluster._worked) >= 5


def test_pieces_of_few_points_are_solved_by_the_program_of_the_whole(monkeypatch):
    """Programs for few points are made otherwise: their last bits may differ."""

    class Unwanted:
        def partial(self, *given):
            raise AssertionError("the program for few points")

    monkeypatch.setattr(sweep_module, "SIZES", (16,))
    monkeypatch.setattr(sweep_module, "FEW", 32)
    monkeypatch.setattr(cluster, "checked", lambda owner, client: client)
    monkeypatch.setattr(cluster, "threads", lambda client: 1)
    monkeypatch.setattr(cluster, "spread", lambda client, function, pieces, **how: map(function, pieces))
    here = cs.sweep(DOT, GRID)
    monkeypatch.setattr(sweep_module, "solve_few", Unwanted())
    monkeypatch.setattr(sweep_module, "FEW", 256)  # a worker's own
    monkeypatch.setattr(sweep_module, "few", lambda *machine: 32)
    assert_same_bits(cs.sweep(DOT, GRID, client=object()), here)


def test_what_workers_lack_is_named(worker, tmp_path, monkeypatch):
    (tmp_path / "my_dots.py").write_text(
        "import coldspot as cs\n\n\ndef build(level):\n    return cs.machines.QuantumDot(level=level)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(cs.InputError, match=r"no module `my_dots`; install it there, or .*upload_file"):
        cs.sweep(importlib.import_module("my_dots").build, {"level": [1.0]}, client=worker)
    with pytest.raises(cs.InputError, match=r"a worker runs coldspot .* asked by coldspot 0\.0\.0"):
        cluster._worked(cloudpickle.dumps(abs), "0.0.0", 1.0)
    assert cluster._worked(cloudpickle.dumps(abs), cs.__version__, -1.0) == 1.0


class Lost:
    """A client, and a future of its: every worker dies of what it is given."""

    status = "running"

    def __init__(self):
        self.given = []

    def submit(self, function, *arguments, **options):
        self.given.append(function)
        return self

    def result(self, timeout):
        raise distributed.scheduler.KilledWorker("piece", SimpleNamespace(address="tcp://lost"), 3)

    def nthreads(self):
        return {}

    def cancel(self, futures):
        self.given.append(futures)


def test_what_kills_every_worker_is_given_up():
    client = Lost()
    with pytest.raises(cs.InputError, match="all workers that tried it have died"):
        list(cluster.spread(client, abs, iter([1.0] * 9), total=9, owner="sweep"))
    assert client.given.count(cluster._worked) == cluster.LIVES - 1 + cluster.AHEAD
    assert client.given[-1] == [client] * (cluster.AHEAD - 1)


def test_waiting_for_workers_is_said():
    class Late(Lost):
        def result(self, timeout):
            assert timeout == cluster.PATIENCE
            if len(self.given) < 6:
                self.given.append("asked")
                raise TimeoutError
            return 7.0

        def done(self):
            return False

    with pytest.warns(UserWarning, match="no workers now; waiting"):
        assert list(cluster.spread(Late(), abs, [1.0], total=1, owner="sweep")) == [7.0]


def test_functions_travel_with_what_they_read():
    gap = {"width": 2.5, "shape": jnp.array([1.0, 2.0])}

    def law(x):
        return gap["width"] * x + gap["shape"].sum()

    closure = opened(law)
    arrived = cloudpickle.loads(cloudpickle.dumps(closure))
    assert float(arrived(2.0)) == float(closure(2.0)) == 8.0
    put = jax.tree.map(lambda number: 2 * number, closure)
    assert float(cloudpickle.loads(cloudpickle.dumps(put))(2.0)) == 16.0


def test_a_client_that_cannot_work_is_refused(tmp_path, monkeypatch):
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None) as local:
        closed = distributed.Client(local)
        closed.close()
        with pytest.raises(cs.InputError, match="`client` is closed, so that no worker"):
            cs.sweep(DOT, GRID, client=closed, to=tmp_path / "s.zarr")
        monkeypatch.setattr(distributed.Client, "asynchronous", property(lambda _: True))
        with pytest.raises(cs.InputError, match="must not be asynchronous"):
            cs.sweep(DOT, GRID, client=closed)
    with pytest.raises(cs.InputError, match=r"must be a dask\.distributed\.Client, but is str"):
        cs.sweep(DOT, GRID, client="tcp://127.0.0.1:8786")
    assert list(tmp_path.iterdir()) == []
