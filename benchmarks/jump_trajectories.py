"""Row `jump-trajectories`: histories of a driven dot, jump by jump, with heat per bath and work.

One "point" is one jump. The peer is the loop that one would write by hand for this machine, compiled by Numba: the
same algorithm (candidates at a bound of the rates in each of the same cells of the period, accepted by their ratio)
with the same bounds, all cores, a NumPy generator for each. Reference: the heats of the periodic state; the errors are
those of sampling.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.jump.histories import cells_of

from .measure import Contender, Row, Task, compile_seconds, interleave, on_all_cores, relative_error

NAMES = ("jump-trajectories",)
TARGET_RATIO = 1.0
TRAJECTORIES, PERIODS, PERIOD = 16_384, 100, 8.0
TEMPERATURES = (0.8, 1.0)


def network() -> cs.JumpNetwork:
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


def solve(seed: int = 1) -> Any:
    """Histories by coldspot, with amounts of each, standard errors and checks beside them."""
    return cs.trajectories(network(), jax.random.key(seed), n=TRAJECTORIES, time=PERIODS * PERIOD, progress=False)


def task(name: str) -> Task:
    return Task(lambda: solve(), int(np.sum(np.asarray(solve().jumps))))


def by_numba() -> Any:
    """Function of a seed that gives heats per time and the number of jumps; None if Numba is not installed."""
    try:
        import numba
    except ImportError:
        return None
    bound = np.asarray(cells_of(network()).bound)
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
    exact = np.asarray(cs.steady_state(network()).heat.array)[None]
    compiled = compile_seconds(lambda: solve())
    found, loop = solve(), by_numba()
    jumps = int(np.sum(np.asarray(found.jumps)))
    per_jump = float(found.solution.statistics["candidates_per_jump"])
    peer = None if loop is None else loop()
    times = interleave(
        {
            "coldspot": Task(lambda: solve(), jumps),
            "numba": None if peer is None else Task(loop, int(peer[3])),
        },
        repeats,
    )
    ours, span = times["coldspot"], TRAJECTORIES * PERIODS * PERIOD
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
                None if peer is None else relative_error(peer[None, :2] / span, exact),
                TARGET_RATIO,
            )
        ],
        [
            f"a point is one jump, {jumps} in all: {1e-6 / ours.median:.3g} million jumps per second, "
            f"with {per_jump:.2f} candidates per jump. The error is that of sampling."
        ],
    )
