"""Sweeps into a store: equal to those in memory, gone on with after a kill, refused if they are others."""

import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import coldspot as cs
from coldspot import store

DOT = cs.machines.QuantumDot()
GRID = {"level": np.linspace(-20.0, 20.0, 5), "left.temperature": [-1.0, 9.0, 10.0]}


@pytest.fixture
def small(monkeypatch):
    """Blocks of a few points."""
    monkeypatch.setattr(store, "BLOCK", 4)


def assert_same_bits(found, expected):
    assert found.data_vars.keys() == expected.data_vars.keys()
    for name, variable in expected.data_vars.items():
        assert found[name].dims == variable.dims
        assert found[name].dtype == variable.dtype
        assert found[name].values.tobytes() == variable.values.tobytes(), name


def test_a_store_holds_what_a_sweep_in_memory_holds(small, tmp_path):
    whole, found = cs.sweep(DOT, GRID, unit="meV"), cs.sweep(DOT, GRID, unit="meV", to=tmp_path / "s.zarr")
    for name, variable in whole.data_vars.items():
        # Of another number of points at a time, the last bit may differ.
        np.testing.assert_allclose(found[name], variable, rtol=1e-13, atol=1e-15, err_msg=str(name))
        if name != "status":
            np.testing.assert_equal(found[name].attrs, {n: np.asarray(v).tolist() for n, v in variable.attrs.items()})
    assert (found.status.values == whole.status.values).all()
    assert found.status.dtype == np.int8
    assert found.attrs.keys() - {"sweep"} == whole.attrs.keys()
    loaded = cs.load(tmp_path / "s.zarr")
    for name in GRID:
        assert found[name].attrs == loaded[name].attrs == whole[name].attrs == {"units": whole[name].attrs["units"]}
    assert found.bath.values.tolist() == ["left", "right"]
    assert float(found.machine.level) == float(DOT.level)
    assert [part.name for part in tmp_path.iterdir()] == ["s.zarr"]


def test_points_that_are_not_solved_say_so_and_are_solved_later(small, tmp_path, monkeypatch):
    whole = cs.sweep(DOT, GRID, to=tmp_path / "whole.zarr").load()
    write, written = store._write, []

    def stopped(root, block, solved):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(block)
        write(root, block, solved)

    monkeypatch.setattr(store, "_write", stopped)
    with pytest.raises(KeyboardInterrupt):
        cs.sweep(DOT, GRID, to=tmp_path / "s.zarr")
    half = cs.load(tmp_path / "s.zarr")
    left = half.status.values == store.NOT_SOLVED
    assert half.status.attrs["flag_meanings"].split()[0] == "not_solved"
    assert 0 < left.sum() < left.size
    assert np.isnan(half.heat.values[left]).all()
    assert (cs.regimes.names(half.regime.values)[left] == "unknown").all()
    monkeypatch.setattr(
        store, "_write", lambda root, block, solved: written.append(block) or write(root, block, solved)
    )
    found = cs.sweep(DOT, GRID, to=tmp_path / "s.zarr")
    assert_same_bits(found, whole)
    # Nothing is solved twice, nor again when all is done.
    assert len(written) == 5
    assert_same_bits(cs.sweep(DOT, GRID, to=tmp_path / "s.zarr"), whole)
    assert len(written) == 5


def test_a_list_of_points_into_a_store(small, tmp_path):
    points = [{"level": float(k), "left.temperature": 3.0 + k} for k in range(9)]
    found, whole = cs.sweep(DOT, points, to=tmp_path / "s.zarr"), cs.sweep(DOT, points)
    assert found.heat.dims == ("point", "bath")
    assert found.level.values.tolist() == [float(k) for k in range(9)]
    np.testing.assert_allclose(found.heat, whole.heat, rtol=1e-13)
    assert float(found.machines[3].level) == 3.0


KILLED = """
import json, os, sys, time
import equinox, jax, scipy.stats, xarray, zarr  # once for all processes: coldspot itself is not for forked ones

def sweep():
    import coldspot as cs
    from coldspot import store
    store.BLOCK = 4
    write, written = store._write, []

    def slowly(root, block, solved):
        # On a busy machine the other process may come late: there is something left to be killed whenever it does.
        if len(written) == 10:
            time.sleep(600)
        written.append(block)
        write(root, block, solved)

    store._write = slowly
    print(os.getpid(), flush=True)
    cs.sweep(cs.machines.QuantumDot(), json.loads(sys.argv[2]), to=sys.argv[1])

for _ in sys.stdin:
    child = os.fork()
    if not child:
        sweep()
        os._exit(0)
    print(-os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_sweep_that_is_killed_goes_on_and_ends_equal(small, tmp_path):
    """`kill -9` at a random moment of the writing, and again: 21 blocks, of which each process writes at most ten."""
    grid = {"level": np.linspace(-20.0, 20.0, 42).tolist(), "left.temperature": [9.0, 10.0]}
    cache = str(jax.config.jax_compilation_cache_dir)
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    dice, path = np.random.default_rng(3), tmp_path / "s.zarr"
    command = [sys.executable, "-c", KILLED, str(path), json.dumps(grid)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        for _ in range(2):
            process.stdin.write("\n")
            process.stdin.flush()
            sweeping = int(process.stdout.readline())
            known = len(list((path / "status").rglob("*"))) if path.exists() else 0
            until = time.monotonic() + 300
            # The line that comes when it ends says that it has ended too early.
            while time.monotonic() < until and not select.select([process.stdout], [], [], 0.02)[0]:
                if path.exists() and len(list((path / "status").rglob("*"))) > known + 2:
                    break
            time.sleep(dice.uniform(0.0, 0.05))
            os.kill(sweeping, signal.SIGKILL)
            assert int(process.stdout.readline()) == signal.SIGKILL
            half = cs.load(path)
            done = half.status.values != store.NOT_SOLVED
            assert done.any()
            assert np.isfinite(half.heat.values[done]).all()
        process.stdin.close()
    found = cs.sweep(DOT, grid, to=path)
    assert_same_bits(found, cs.sweep(DOT, grid, to=tmp_path / "t.zarr"))


def test_another_sweep_does_not_go_on_with_a_store(small, tmp_path):
    path = tmp_path / "s.zarr"
    cs.sweep(DOT, GRID, to=path)
    before = cs.load(path).load()
    for machine, grid, options, words in (
        (cs.machines.QuantumDot(level=1.0), GRID, {}, "of the machine"),
        (DOT, {**GRID, "level": GRID["level"] + 1e-9}, {}, "parameters"),
        (DOT, dict(reversed(GRID.items())), {}, "parameters"),
        (DOT, GRID, {"tolerance": 1e-6}, "tolerance"),
        (DOT, GRID, {"unit": "meV"}, "unit"),
    ):
        with pytest.raises(cs.InputError, match=rf"belongs to another sweep, with other .*({words})"):
            cs.sweep(machine, grid, to=path, **options)
    assert_same_bits(cs.load(path), before)


def test_what_cannot_be_a_store_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(cs.InputError, match="no store that a sweep was writing"):
        cs.sweep(DOT, GRID, to=tmp_path / "a.zarr")
    with pytest.raises(cs.InputError, match=r"ends in `\.zarr`"):
        cs.sweep(DOT, GRID, to=tmp_path / "a.nc")
    with pytest.raises(cs.InputError, match="`to` needs a machine that can be written"):
        cs.sweep(lambda level: cs.machines.QuantumDot(level=level), {"level": [1.0]}, to=tmp_path / "b.zarr")
    (tmp_path / "file").write_text("")
    for folder in ("file", "none"):
        with pytest.raises(cs.InputError, match=rf"sweep: `.*` cannot be written: there is no folder `.*/{folder}`\.$"):
            cs.sweep(DOT, GRID, to=tmp_path / folder / "b.zarr")

    def full(part, content):
        part.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(cs.InputError, match=r"sweep: `.*` cannot be written: No space left on device\.$"):
        cs.sweep(DOT, GRID, to=tmp_path / "b.zarr")
    assert sorted(part.name for part in tmp_path.iterdir()) == ["a.zarr", "file"]


@pytest.mark.parametrize("lengths", [{"a": 5}, {"a": 3, "b": 7}, {"a": 2, "b": 3, "c": 50}, {"a": 10**5, "b": 10**4}])
def test_blocks_cover_a_grid_once(lengths):
    shape = store.plan(lengths)
    assert np.prod(list(shape.values())) <= store.LARGEST_BLOCK
    if np.prod(list(lengths.values())) < 10**6:
        count = np.zeros(tuple(lengths.values()), int)
        for block in store.blocks(lengths, shape):
            count[tuple(block.values())] += 1
        assert (count == 1).all()


def test_the_results_of_the_library_are_those_of_xarray(small, tmp_path):
    cs.sweep(DOT, GRID, to=tmp_path / "s.zarr")
    plain = xr.open_zarr(tmp_path / "s.zarr", consolidated=False, chunks=None)
    assert_same_bits(cs.load(tmp_path / "s.zarr"), plain)
