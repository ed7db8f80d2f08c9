"""`python -m benchmarks.continuous_peers --python PYTHON`: time to equal error beside diffrax and fplanck.

PYTHON is an interpreter that has both; each peer runs there, coldspot here, one after the other.

- diffrax: the driven oscillator pair of `langevin`, the same time step, by its Heun solver with a virtual Brownian
  tree; work per force as two more integrals (heat per bath has no integral of its own there). Statistical errors fall
  as the root of time: what counts is the processor time for the standard error that the peer reached.
- fplanck: the density on a ring with a hill and a load, overdamped, on grids of its own, beside
  `KleinKramers.overdamped`; errors, relative to the largest density, against Stratonovich's integrals.
"""

import argparse
import json
import math
import subprocess
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad

import coldspot as cs

from .langevin import COUPLING, FREQUENCY, PHASE, SPRING, STEP, TEMPERATURES, network

TRAJECTORIES, PERIODS = 2000, 20
FRICTION, LOAD = 50.0, 0.5
GRIDS = (50, 100, 200, 400, 800)

DIFFRAX = f"""
import json, time, diffrax, jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
h, steps, n = {STEP}, {64 * PERIODS}, {TRAJECTORIES}
springs = jnp.array([[{SPRING + COUPLING}, {-COUPLING}], [{-COUPLING}, {SPRING + COUPLING}]])
strength = jnp.sqrt(2 * jnp.array({list(TEMPERATURES)}))
zero = jnp.zeros((2, 2))
def drift(t, y, _):
    x, v = y[:2], y[2:4]
    f = jnp.cos({FREQUENCY} * t + jnp.array([0.0, {PHASE}]))
    return jnp.concatenate([v, -springs @ x - v + f, f * v])
def diffusion(t, y, _):
    return jnp.concatenate([zero, jnp.diag(strength), zero])
def one(key):
    path = diffrax.VirtualBrownianTree(0.0, steps * h, tol=h / 2, shape=(2,), key=key)
    terms = diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, path))
    found = diffrax.diffeqsolve(terms, diffrax.Heun(), 0.0, steps * h, h, jnp.zeros(6), max_steps=steps + 10,
        saveat=diffrax.SaveAt(ts=jnp.array([steps * h / 2, steps * h])))
    return (found.ys[1] - found.ys[0])[4:] / (steps * h / 2)
run = jax.jit(jax.vmap(one))
run(jax.random.split(jax.random.key(0), n)).block_until_ready()
wall, cpu = time.perf_counter(), time.process_time()
work = np.asarray(run(jax.random.split(jax.random.key(1), n)))
print(json.dumps([work.mean(0).tolist(), (work.std(0) / n**0.5).tolist(), time.perf_counter() - wall,
    time.process_time() - cpu]))
"""

FPLANCK = f"""
import json, time, numpy as np
np.product = np.prod  # the name that it knows
import fplanck
from scipy import constants
found = []
for count in {list(GRIDS)}:
    wall, cpu = time.perf_counter(), time.process_time()
    sim = fplanck.fokker_planck(temperature=1 / constants.k, drag={FRICTION}, extent=2 * np.pi,
        resolution=2 * np.pi / count, boundary=fplanck.boundary.periodic,
        force=lambda x: np.sin(x) + {LOAD})  # together with a potential it would diffuse twice
    density = sim.steady_state() * count / (2 * np.pi)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    some = slice(0, None, len(density) // 10)
    found.append([sim.axes[0][some].tolist(), density[some].tolist(), *seconds])
print(json.dumps(found))
"""


class Hill(eqx.Module):
    height: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.height * (1 + jnp.cos(x))


def peer(python: str, code: str) -> Any:
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return json.loads(found.splitlines()[-1])


def exact_density(places: np.ndarray) -> np.ndarray:
    """n(x) ∝ ∫_x^{x+2π} e^{φ(y)−φ(x)} dy, φ = V − Fx (Stratonovich), with T = 1."""

    def inner(x: float) -> float:
        start = math.cos(x) - LOAD * x
        rise = quad(lambda y: math.exp(math.cos(y) - LOAD * y - start), x, x + 2 * math.pi, epsabs=0, epsrel=1e-12)
        return float(rise[0])

    whole = quad(inner, 0, 2 * math.pi, epsabs=0, epsrel=1e-11)[0]
    return np.array([inner(x) for x in places]) / whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    python = parser.parse_args().python
    work, errors, wall, cpu = peer(python, DIFFRAX)
    print(f"diffrax: work {np.round(work, 4)} ± {np.round(errors, 4)}, {wall:.2f} s, processor {cpu:.2f} s")

    def ours(seed: int) -> cs.Solution:
        time_ = 64 * PERIODS / 2 * STEP * (1 - 1e-12)
        return cs.trajectories(network(), jax.random.key(seed), n=TRAJECTORIES, time=time_, time_step=STEP).solution

    ours(0)
    start, begin = time.perf_counter(), time.process_time()
    found = ours(1)
    wall_, cpu_ = time.perf_counter() - start, time.process_time() - begin
    own, exact = np.asarray(found.error.work.array), np.asarray(cs.steady_state(network()).work.array)
    print(f"coldspot: work {found.work.array.round(4)} ± {own.round(4)}, {wall_:.3f} s, processor {cpu_:.3f} s")
    print(f"exact: work {exact.round(4)}; coldspot also has heat per bath, and starts in the steady state")
    times = (np.max(own) / np.max(errors)) ** 2 * cpu_
    print(f"processor time to diffrax's standard error: {times:.3f} s, {np.asarray(cpu) / times:.0f} times less")

    for (places, density, wall, cpu), count in zip(peer(python, FPLANCK), GRIDS, strict=True):
        true = exact_density(np.array(places))
        error = np.max(np.abs(np.array(density) - true)) / true.max()
        print(f"fplanck, {count} cells: error {error:.1e}, {wall:.3f} s, processor {cpu:.3f} s")
    ends = cs.Periodic(2 * math.pi, load=LOAD, start=-math.pi)
    for call, height in (("first", 0.5), ("second", 1.0)):
        # Another height, so that nothing is remembered.
        ring = cs.KleinKramers(Hill(jnp.asarray(height)), friction=FRICTION, temperature=1.0, boundary=ends)
        start, begin = time.perf_counter(), time.process_time()
        density = ring.overdamped().density(np.array(places))
        wall_, cpu_ = time.perf_counter() - start, time.process_time() - begin
        error = np.max(np.abs(density - true)) / true.max() if height == 1 else np.nan
        print(f"coldspot, {call} call: error {error:.1e}, {wall_:.3f} s, processor {cpu_:.3f} s")


if __name__ == "__main__":
    main()
