"""Rows `boson-junction` (one electron temperature) and `boson-junction-gradient` (two): a narrow mode, two leads.

coldspot finds the whole ledger: heats, particles, error bounds, population. The peers are `scipy.integrate.quad` for
the heat flow J alone: on eq. 13 as it stands, with Λ from 2×2 matrices for the four kinds of pairs in NumPy; and on two
integrals worked out by hand, in scalar arithmetic, told where resonances and Fermi edges are.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

import coldspot as cs
from coldspot.dynamics import TOLERANCE, checked_tolerance, solve_points
from coldspot.sweep import solve_columns

from .measure import Contender, Row, Task, compile_seconds, interleave

NAMES = ("boson-junction", "boson-junction-gradient")
TARGETS = {"boson-junction": 2e-6, "boson-junction-gradient": 30e-6}
POINTS = 10_000
QUAD_POINTS, DEFINITION_POINTS = 100, 20
ELEMENT, FREQUENCY = 0.5, 1.0


def columns(name: str, points: int, seed: int = 0) -> dict[str, np.ndarray]:
    u = np.random.default_rng(seed).uniform
    left = u(0.2, 2, points)
    return {
        "level_left": u(-1, 1, points),
        "level_right": u(-1, 1, points),
        "halfwidth_left": u(0.1, 1, points),
        "halfwidth_right": u(0.1, 1, points),
        "left_temperature": left,
        "right_temperature": left.copy() if name == "boson-junction" else u(0.2, 2, points),
        "left_potential": u(-1, 1, points),
        "right_potential": u(-1, 1, points),
        "phonon_temperature": u(0.2, 2, points),
    }


def build(shared: None, point: Mapping[str, Any]) -> cs.machines.BosonJunction:
    return cs.machines.BosonJunction(
        level_left=point["level_left"],
        level_right=point["level_right"],
        halfwidth_left=point["halfwidth_left"],
        halfwidth_right=point["halfwidth_right"],
        element=ELEMENT,
        frequency=FREQUENCY,
        left=cs.ElectronBath(point["left_temperature"], point["left_potential"]),
        right=cs.ElectronBath(point["right_temperature"], point["right_potential"]),
        phonons=cs.BosonBath(point["phonon_temperature"]),
    )


def solve(points: Mapping[str, np.ndarray]) -> np.ndarray:
    """J (point) by coldspot."""
    s = solve_columns(solve_points, build, None, points, checked_tolerance(TOLERANCE), progress=False)
    return -np.asarray(s.heat["phonons"])


def task(name: str) -> Task:
    c = columns(name, POINTS)
    return Task(lambda: solve(c), POINTS)


def fermi(x: float) -> float:
    return 1 / (1 + math.exp(x)) if x < 700 else 0.0


def by_quad(c: Mapping[str, np.ndarray], tolerance: float = 1e-9, parts: bool = False) -> np.ndarray:
    """J (point) by `scipy.integrate.quad`; with `parts`, each stretch between two features by itself and to 1e-12."""
    from scipy.integrate import quad

    found = []
    for e1, e2, w1, w2, t1, t2, mu1, mu2, tp in zip(*(c[k].tolist() for k in c), strict=True):
        n = 1 / math.expm1(FREQUENCY / tp)
        total = 0.0
        for (ea, wa, ta, ma), (eb, wb, tb, mb) in (
            ((e1, w1, t1, mu1), (e2, w2, t2, mu2)),
            ((e2, w2, t2, mu2), (e1, w1, t1, mu1)),
        ):
            edge, level = mb + FREQUENCY, eb + FREQUENCY

            def integrand(x, ea=ea, wa=wa, ta=ta, ma=ma, wb=wb, tb=tb, edge=edge, level=level, n=n):
                a, b = (x - ma) / ta, (x - edge) / tb
                weight = 4 * wa * wb / (((x - ea) ** 2 + wa * wa) * ((x - level) ** 2 + wb * wb))
                return weight * (fermi(a) * fermi(-b) * (1 + n) - fermi(-a) * fermi(b) * n)

            reach = 40 * max(ta, tb)
            low, high = min(ma, edge) - reach, max(ma, edge) + reach
            marks = sorted({x for x in (ma, edge, ea, level) if low < x < high})
            if parts:
                marks = [low, *marks, high]
                total += sum(
                    quad(integrand, *ends, epsabs=1e-15, epsrel=1e-12, limit=200)[0] for ends in pairwise(marks)
                )
            else:
                total += quad(integrand, low, high, points=marks, epsabs=0, epsrel=tolerance, limit=200)[0]
        found.append(ELEMENT**2 * total / (4 * math.pi))
    return np.array(found)


def by_definition(c: Mapping[str, np.ndarray], tolerance: float = 1e-9) -> np.ndarray:
    """J (point) by quad on tr[M A_α(ε) M A_β(ε−Ω)] with the Green's function of the 2×2 conductor."""
    from scipy.integrate import quad

    coupling = ELEMENT * np.array([[0.0, 1.0], [1.0, 0.0]])
    found = []
    for e1, e2, w1, w2, t1, t2, mu1, mu2, tp in zip(*(c[k].tolist() for k in c), strict=True):
        h = np.diag([e1, e2])
        widths = [np.diag([2 * w1, 0.0]), np.diag([0.0, 2 * w2])]
        t, mu, n = (t1, t2), (mu1, mu2), 1 / np.expm1(FREQUENCY / tp)
        reach = 40 * max(t)

        def spectral(lead, energy, h=h, widths=widths):
            green = np.linalg.inv(energy * np.eye(2) - h + 0.5j * (widths[0] + widths[1]))
            return green @ widths[lead] @ green.conj().T

        total = 0.0
        for a in (0, 1):
            for b in (0, 1):

                def integrand(x, a=a, b=b, n=n, t=t, mu=mu, spectral=spectral):
                    weight = np.trace(coupling @ spectral(a, x) @ coupling @ spectral(b, x - FREQUENCY)).real
                    up, down = (x - mu[a]) / t[a], (x - FREQUENCY - mu[b]) / t[b]
                    fa, fb = 1 / (1 + np.exp(up)), 1 / (1 + np.exp(down))
                    return weight * (fa * (1 - fb) * (1 + n) - (1 - fa) * fb * n)

                low, high = min(mu[a], mu[b] + FREQUENCY) - reach, max(mu[a], mu[b] + FREQUENCY) + reach
                total += quad(integrand, low, high, epsabs=1e-12, epsrel=tolerance, limit=200)[0]
        found.append(total / (4 * math.pi))
    return np.array(found)


def measure(name: str, repeats: int) -> Row:
    c = columns(name, POINTS)
    few = {k: v[:QUAD_POINTS] for k, v in c.items()}
    fewer = {k: v[:DEFINITION_POINTS] for k, v in c.items()}
    compiled = compile_seconds(lambda: solve(c))
    times = interleave(
        {
            "coldspot": task(name),
            "definition": Task(lambda: by_definition(fewer), DEFINITION_POINTS),
            "quad": Task(lambda: by_quad(few), QUAD_POINTS),
        },
        repeats,
    )
    exactly = by_quad(few, parts=True)

    def error(found: np.ndarray) -> float:
        """Largest deviation, relative to the median flow: J itself may vanish."""
        return float(np.max(np.abs(found - exactly[: len(found)])) / np.median(np.abs(exactly)))

    return Row(
        name,
        Contender("coldspot", times["coldspot"], error(solve(few))),
        TARGETS[name],
        compiled,
        [
            Contender(
                "quad, J alone, as defined",
                times["definition"],
                error(by_definition(fewer)),
                3000 if name == "boson-junction" else None,
            ),
            Contender("quad, J alone, by hand", times["quad"], error(by_quad(few))),
        ],
    )
