"""Row `langevin`; and `python -m benchmarks.langevin [TRAJECTORIES | honesty]`, on whatever device JAX sees.

Trajectories of the driven oscillator pair, with heat per bath and work per force.

One "point" is one step of one trajectory. The peer is the loop that one would write by hand, compiled by Numba: the
same steps, the forces tabulated, all cores, a NumPy generator for each. Both start in the steady state of the scheme
and average the same time. Reference: the exact heats of the scheme, from a Lyapunov equation solved by SciPy.
"""

import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import coldspot as cs

from .measure import Contender, Row, Task, compile_seconds, interleave, on_all_cores, relative_error

NAMES = ("langevin",)
TARGET_RATIO = 1.2
TRAJECTORIES = 10_000
PER_PERIOD, PERIODS = 64, 156
STEPS = PER_PERIOD * PERIODS
SPRING, COUPLING, FREQUENCY, PHASE = 2.0, 3.0, 2 * np.pi / 3, 0.3
TEMPERATURES = (1.0, 0.5)
STEP = 2 * np.pi / FREQUENCY / PER_PERIOD


def network() -> cs.OscillatorNetwork:
    return cs.OscillatorNetwork(
        masses=[1.0, 1.0],
        springs=[[SPRING + COUPLING, -COUPLING], [-COUPLING, SPRING + COUPLING]],
        frictions=[1.0, 1.0],
        baths={"left": cs.HeatBath(TEMPERATURES[0]), "right": cs.HeatBath(TEMPERATURES[1])},
        sites={"left": 0, "right": 1},
        forces={"left": (0, cs.Cosine(1.0)), "right": (1, cs.Cosine(1.0, PHASE))},
        frequency=FREQUENCY,
    )


def sampled(seed: int = 1, n: int = TRAJECTORIES, step: float = STEP) -> cs.Solution:
    """Averages by coldspot, with ⟨x²⟩, ⟨v²⟩, standard errors and checks beside them; an even number of periods."""
    found = cs.trajectories(network(), jax.random.key(seed), n=n, time=STEPS * step * (1 - 1e-12), time_step=step)
    return found.solution


def solve(seed: int = 1) -> np.ndarray:
    found = sampled(seed)
    assert int(found.statistics["steps"]) == STEPS
    return np.asarray(found.heat.array)


def task(name: str) -> Task:
    return Task(lambda: solve(), TRAJECTORIES * STEPS)


def reference() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact heats of the scheme; mean and covariance of (x, v) before a kick at phase 0."""
    from scipy.linalg import solve_discrete_lyapunov

    h, c = STEP, np.exp(-STEP)
    springs = np.array([[SPRING + COUPLING, -COUPLING], [-COUPLING, SPRING + COUPLING]])
    one, zero = np.eye(2), np.zeros((2, 2))
    kick = np.block([[one, zero], [-h * springs, one]])
    drift = np.block([[one, h / 2 * one], [zero, one]])
    bath = np.block([[one, zero], [zero, c * one]])
    step = drift @ bath @ drift @ kick
    strength = np.array(TEMPERATURES) * (1 - c**2)
    covariance = solve_discrete_lyapunov(step, drift @ np.diag([0, 0, *strength]) @ drift.T)
    force = h * np.array([0, 0, 1, np.exp(1j * PHASE)])
    wave = np.linalg.solve(np.exp(1j * FREQUENCY * h) * np.eye(4) - step, drift @ bath @ drift @ force)
    before = np.diag(kick @ covariance @ kick.T)[2:] + abs((kick @ wave + force)[2:]) ** 2 / 2
    return (strength - (1 - c**2) * before) / (2 * h), wave.real, covariance


def by_numba() -> Any:
    """Function of a seed that gives the heats by a loop in Numba on all cores; None if it is not installed."""
    try:
        import numba
    except ImportError:
        return None
    _, mean, covariance = reference()
    factor = np.linalg.cholesky(covariance)
    angle = 2 * np.pi * np.arange(PER_PERIOD) / PER_PERIOD
    table = np.stack([np.cos(angle), np.cos(angle + PHASE)], axis=1)
    decay = np.exp(-STEP)
    left, right = (np.sqrt(t * (1 - decay**2)) for t in TEMPERATURES)

    @numba.njit(nogil=True, fastmath=True)
    def run(generator, count, steps):
        total = np.zeros(4)
        for _ in range(count):
            z = mean + factor @ generator.standard_normal(4)
            x, y, v, w = z[0], z[1], z[2], z[3]
            q1 = q2 = w1 = w2 = 0.0
            for k in range(steps):
                f, g = table[k % PER_PERIOD, 0], table[k % PER_PERIOD, 1]
                a = v + STEP * (-(SPRING + COUPLING) * x + COUPLING * y + f)
                b = w + STEP * (-(SPRING + COUPLING) * y + COUPLING * x + g)
                w1 += f * (v + a)
                w2 += g * (w + b)
                v = decay * a + left * generator.standard_normal()
                w = decay * b + right * generator.standard_normal()
                q1 += v * v - a * a
                q2 += w * w - b * b
                x += STEP / 2 * (a + v)
                y += STEP / 2 * (b + w)
            total += np.array([q1, q2, w1 * STEP, w2 * STEP])
        return total / 2

    def heats(seed: int = 1) -> np.ndarray:
        total = on_all_cores(lambda g, n: run(g, n, STEPS), TRAJECTORIES, seed)
        return total[:2] / (TRAJECTORIES * STEPS * STEP)

    return heats


def memory() -> float:
    """Megabytes by which the largest memory of a fresh process exceeds that after the import."""
    code = "from benchmarks.langevin import _memory; print(_memory())"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _memory() -> float:
    before = _peak()
    solve()
    return _peak() - before


def _peak() -> float:
    """Largest resident memory of this process so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # the figure below would count the parent's memory here
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(name: str, repeats: int) -> Row:
    exact = reference()[0][None]
    compiled = compile_seconds(lambda: solve())
    loop = by_numba()
    times = interleave(
        {"coldspot": task(name), "numba": None if loop is None else Task(loop, TRAJECTORIES * STEPS)}, repeats
    )
    ours = times["coldspot"]
    assert ours is not None
    return Row(
        name,
        Contender("coldspot", ours, relative_error(solve()[None], exact)),
        None,
        compiled,
        [
            Contender(
                "Numba loop, NumPy generator",
                times["numba"],
                None if loop is None else relative_error(loop()[None], exact),
                TARGET_RATIO,
            )
        ],
        [
            f"a point is one step of one of {TRAJECTORIES} trajectories of {STEPS} steps: "
            f"{1e-8 / ours.median:.3g}e8 steps per second. The error is that of sampling.",
            f"peak memory {memory():.0f} MB above that of the import, compilation included.",
        ],
    )


def main() -> None:
    """Particle-steps per second on this device, and how far the heats are from the exact ones in standard errors."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else TRAJECTORIES
    device = jax.devices()[0]
    print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}; {n} trajectories of 2 particles")
    exact, seconds = np.asarray(cs.steady_state(network()).heat.array), []
    for seed in (1, 2, 3):
        start, cpu = time.perf_counter(), time.process_time()
        # So short a step that its bias is below the sampling error.
        found = sampled(seed, n, STEP / 4)
        seconds.append(time.perf_counter() - start)
        particles = n * int(found.statistics["steps"]) * 2
        deviation = (np.asarray(found.heat.array) - exact) / np.asarray(found.error.heat.array)
        print(
            f"{seconds[-1]:.2f} s (processor {time.process_time() - cpu:.2f} s) for {particles:.3g} particle-steps: "
            f"{particles / seconds[-1]:.3g} particle-steps/s; heats off by {deviation.round(2)} standard errors, bias "
            f"stated {float(found.statistics['time_step_bias']):.1e} of the largest"
        )
    print(f"without compilation {particles / min(seconds[1:]):.3g} particle-steps/s")


def honesty(keys: int = 2000, n: int = 64) -> None:
    """How often heats of small ensembles lie within two of their own standard errors of the exact ones."""
    pair, start = network(), time.perf_counter()
    exact = np.asarray(cs.steady_state(pair).heat.array)

    def deviation(seed: int) -> np.ndarray:
        found = cs.trajectories(pair, jax.random.key(seed), n=n, time=12.0, time_step=STEP / 4)
        return (np.asarray(found.heat.array) - exact) / np.asarray(found.error.heat.array)

    deviations = np.array([deviation(seed) for seed in range(keys)])
    share = np.mean(np.abs(deviations) < 2, axis=0)
    print(
        f"{keys} keys of {n} trajectories: |z| < 2 in {np.round(100 * share, 2)} % (asked 94 to 97), z "
        f"{deviations.mean(0).round(3)} ± {deviations.std(0).round(3)}; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["honesty"]:
        honesty()
    else:
        main()
