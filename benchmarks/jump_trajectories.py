"""Rows `jump-trajectories` and `jump-trajectories-static`: histories jump by jump, with heat per bath and work.

A driven dot, and a ring of eight states between two baths, without a drive. One "point" is one jump. The peer is the
loop that one would write by hand for this machine, compiled by Numba: the same algorithm (driven: candidates at a bound
of the rates in each of the same cells of the period, accepted by their ratio, with the same bounds; static: waiting
times and sums of rates from tables), all cores, a NumPy generator for each. Reference: the heats of the steady state;
the errors are those of sampling.

    python -m benchmarks.jump_trajectories [REPEATS]

prints processor times beside wall times, which other work on the same cores lengthens.
"""

import argparse
import os
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.jump.thinning import cells_of, edges_of, look_at

from .measure import Contender, Row, Task, compile_seconds, interleave, on_all_cores, relative_error

NAMES = ("jump-trajectories", "jump-trajectories-static")
TARGET_RATIO = 1.0
TRAJECTORIES, PERIODS, PERIOD = 16_384, 100, 8.0
TEMPERATURES = (0.8, 1.0)
RING, SPAN = 8, 400.0


def ring(seed: int = 3) -> cs.JumpNetwork:
    """States of random energies, each joined with the next by one bath and with the one after it by the other."""
    rng = np.random.default_rng(seed)
    channels = [
        cs.Channel(bath, i, (i + k) % RING, cs.Glauber(rng.uniform(0.5, 2)))
        for i in range(RING)
        for k, bath in ((1, "cold"), (2, "hot"))
    ]
    baths = {"cold": cs.HeatBath(1.0), "hot": cs.HeatBath(2.0)}
    return cs.JumpNetwork(energies=rng.normal(size=RING), baths=baths, channels=channels)


def machine(name: str) -> tuple[cs.JumpNetwork, float]:
    """The network of a row, and the time of its histories."""
    return (ring(), SPAN) if name.endswith("static") else (driven(), PERIODS * PERIOD)


def driven() -> cs.JumpNetwork:
    """A level 2 + 2 cos θ between two leads, whose barriers go up and down in turn."""
    return cs.JumpNetwork(
        energies=lambda gate: jnp.array([0.0, 1.0]) * gate["level"],
        occupations=[0, 1],
        baths={"cold": cs.ElectronBath(TEMPERATURES[0]), "hot": cs.ElectronBath(TEMPERATURES[1])},
        channels=[
            cs.Channel("cold", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(gate["barrier"]))),
            cs.Channel("hot", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(-gate["barrier"]))),
        ],
        drives={"level": cs.Cosine(2.0, mean=2.0), "barrier": cs.Cosine(1.5, phase=-np.pi / 2)},
        period=PERIOD,
    )


def solve(name: str, seed: int = 1) -> Any:
    """Histories by coldspot, with amounts of each, standard errors and checks beside them."""
    network, span = machine(name)
    return cs.trajectories(network, jax.random.key(seed), n=TRAJECTORIES, time=span, progress=False)


def task(name: str) -> Task:
    return Task(lambda: solve(name), int(np.sum(np.asarray(solve(name).jumps))))


def by_numba(name: str) -> Any:
    """Function of a seed that gives heats and work, and last the number of jumps; None if Numba is not installed."""
    try:
        import numba
    except ImportError:
        return None
    return static_loop(numba) if name.endswith("static") else driven_loop(numba)


def static_loop(numba: Any) -> Any:
    network = ring()
    edges, rates = edges_of(network), np.asarray(look_at(network, jnp.zeros(())).rates)
    taken = np.asarray(network.snapshot(jnp.zeros(())).heat)
    choice = edges.leaving.T
    sums = np.cumsum(np.append(rates, 0.0)[choice], axis=1)
    ends = np.append(edges.end, 0)[choice]
    heat = np.concatenate([taken, -taken, np.zeros((2, 1))], axis=1).T[choice]
    initial = np.cumsum(np.asarray(cs.steady_state(network).populations))

    @numba.njit(nogil=True, fastmath=True)
    def run(generator, count, span):
        total = np.zeros(3)
        for _ in range(count):
            state, moment, begin = 0, 0.0, generator.random()
            while initial[state] <= begin:
                state += 1
            while True:
                exit_rate = sums[state, -1]
                moment -= np.log(1.0 - generator.random()) / exit_rate
                if moment >= span:
                    break
                chosen, edge = generator.random() * exit_rate, 0
                while sums[state, edge] <= chosen:
                    edge += 1
                total[0] += heat[state, edge, 0]
                total[1] += heat[state, edge, 1]
                total[2] += 1
                state = ends[state, edge]
        return total

    return lambda seed=1: on_all_cores(lambda g, n: run(g, n, SPAN), TRAJECTORIES, seed)


def driven_loop(numba: Any) -> Any:
    bound = np.asarray(cells_of(driven()).bound)
    cells, (cold, hot) = len(bound), TEMPERATURES

    @numba.njit(nogil=True, fastmath=True)
    def run(generator, count, periods):
        total = np.zeros(4)
        for _ in range(count):
            state, cell, cycle = 0, 0, 0
            moment = first = second = work = 0.0
            while cycle < periods:
                rate = bound[cell, state]
                candidate = moment - np.log(1.0 - generator.random()) / (rate * PERIOD)
                border = (cell + 1) / cells
                if candidate >= border:
                    moment, cell = border, cell + 1
                    if cell == cells:
                        moment, cell, cycle = 0.0, 0, cycle + 1
                    continue
                moment = candidate
                angle = 2 * np.pi * moment
                level, gate = 2 + 2 * np.cos(angle), np.exp(1.5 * np.sin(angle))
                one, other = 1 / (np.exp(level / cold) + 1), 1 / (np.exp(level / hot) + 1)
                if state == 1:
                    one, other = 1 - one, 1 - other
                left, right = gate * one, other / gate
                chosen = generator.random() * rate
                if chosen < left + right:
                    sign = 1 - 2 * state
                    if chosen < left:
                        first += sign * level
                    else:
                        second += sign * level
                    work -= sign * level
                    state = 1 - state
                    total[3] += 1
            total[0] += first
            total[1] += second
            total[2] += work + 4.0 * state
        return total

    def histories(seed: int = 1) -> np.ndarray:
        return on_all_cores(lambda g, n: run(g, n, PERIODS), TRAJECTORIES, seed)

    return histories


def measure(name: str, repeats: int) -> Row:
    network, span = machine(name)
    exact = np.asarray(cs.steady_state(network).heat.array)[None]
    compiled = compile_seconds(lambda: solve(name))
    found, loop = solve(name), by_numba(name)
    jumps = int(np.sum(np.asarray(found.jumps)))
    per_jump = float(found.solution.statistics["candidates_per_jump"])
    peer = None if loop is None else loop()
    times = interleave(
        {
            "coldspot": Task(lambda: solve(name), jumps),
            "numba": None if peer is None else Task(loop, int(peer[-1])),
        },
        repeats,
    )
    ours = times["coldspot"]
    assert ours is not None
    return Row(
        name,
        Contender("coldspot", ours, relative_error(np.asarray(found.heat.array)[None], exact)),
        None,
        compiled,
        [
            Contender(
                "Numba loop, NumPy generator",
                times["numba"],
                None if peer is None else relative_error(peer[None, :2] / (TRAJECTORIES * span), exact),
                TARGET_RATIO,
            )
        ],
        [
            f"a point is one jump, {jumps} in all: {1e-6 / ours.median:.3g} million jumps per second, "
            f"with {per_jump:.2f} candidates per jump. The error is that of sampling."
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", type=int, nargs="?", default=5)
    repeats = parser.parse_args().repeats
    for name in NAMES:
        tools = {"coldspot": lambda name=name: int(np.sum(solve(name).jumps))}
        loop = by_numba(name)
        if loop is not None:
            tools["numba"] = lambda loop=loop: int(loop()[-1])
        figures: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
        for turn in range(repeats + 1):
            for tool, run in tools.items():
                wall, cpu = time.perf_counter(), time.process_time()
                jumps = run()
                spent = (time.perf_counter() - wall) / jumps, (time.process_time() - cpu) / jumps
                if turn:
                    figures[tool].append(spent)
        for tool, spent in figures.items():
            wall, cpu = 1e9 * np.median(spent, axis=0)
            print(f"{name} {tool}: {wall:.0f} ns of time and {cpu:.0f} ns of processors per jump")
    print("load", *(f"{x:.1f}" for x in os.getloadavg()))


if __name__ == "__main__":
    main()
