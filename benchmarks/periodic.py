"""How a row of driven networks is measured, whatever the machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from coldspot.dynamics import checked_tolerance, solve_points
from coldspot.solution import Solution
from coldspot.sweep import solve_columns

from . import driven
from .measure import Contender, Row, Task, compile_seconds, interleave, relative_error

POINTS = 10_000
PEER_POINTS = 20
TOLERANCE = 1e-8


class Ratios(NamedTuple):
    """By how much coldspot should be faster: more where a problem is stiff or slow, where peers take many steps."""

    scipy: float = 300.0
    qutip: float = 1000.0


def peers(machines: list[driven.Plain], ratios: Ratios) -> dict[str, tuple[Callable[[], np.ndarray] | None, float]]:
    """Name → (function that gives the heats, target ratio); None for a tool that is not installed.

    SciPy runs twice: at the tolerance that a user would ask for, and at the loosest that reached `TOLERANCE` in trials
    on these machines.
    """

    def each(one: Callable[[driven.Plain], np.ndarray]) -> Callable[[], np.ndarray]:
        return lambda: np.array([one(m) for m in machines])

    routes: dict[str, tuple[Callable[[], np.ndarray] | None, float]] = {
        "SciPy DOP853, rtol 1e-9": (each(lambda m: driven.by_scipy(m, 1e-9, 1e-12)), ratios.scipy),
        "SciPy DOP853, rtol 1e-6": (each(lambda m: driven.by_scipy(m, 1e-6, 1e-9)), ratios.scipy),
        "QuTiP propagator, plain": (each(lambda m: driven.by_qutip(m, tuned=False)), ratios.qutip),
        "QuTiP propagator, tuned": (each(lambda m: driven.by_qutip(m, tuned=True)), ratios.qutip),
    }
    if not driven.qutip_installed():
        routes |= {name: (None, ratio) for name, (_, ratio) in routes.items() if name.startswith("QuTiP")}
    return routes


@dataclass(frozen=True)
class Case:
    """A machine with random parameters: for coldspot (`build`) and in plain numbers (`plain`).

    `target` is coldspot's time per point in seconds; `peers` says whether the peers run too (they would need
    hours for stiff and slow points).
    """

    name: str
    columns: Callable[[int], dict[str, np.ndarray]]
    build: Callable[[None, Mapping[str, Any]], Any]
    plain: Callable[[Mapping[str, float]], driven.Plain]
    target: float
    peers: bool
    ratios: Ratios = Ratios()

    def solve(self, columns: Mapping[str, np.ndarray]) -> Solution:
        return solve_columns(solve_points, self.build, None, columns, checked_tolerance(TOLERANCE), progress=False)

    def task(self) -> Task:
        columns = self.columns(POINTS)
        return Task(lambda: self.solve(columns), POINTS)

    def measure(self, repeats: int) -> Row:
        columns = self.columns(POINTS)
        compiled = compile_seconds(lambda: self.solve(columns))
        solution = self.solve(columns)
        trusted = np.flatnonzero(solution.ok)
        chosen = trusted[:PEER_POINTS]
        machines = [self.plain({k: float(v[i]) for k, v in columns.items()}) for i in chosen]

        routes = peers(machines, self.ratios) if self.peers else {}
        tasks = {name: None if run is None else Task(run, len(machines)) for name, (run, _) in routes.items()}
        times = interleave({"coldspot": self.task(), **tasks}, repeats)
        ours = times["coldspot"]
        assert ours is not None

        exactly = np.array([driven.reference(m) for m in machines])
        found = []
        for name, (run, ratio) in routes.items():
            error = None if run is None else relative_error(run(), exactly)
            found.append(Contender(name, times[name], error, ratio))
        elements = solution.statistics["elements"][trusted]
        notes = [
            f"{len(trusted)} of {POINTS} points converged to {TOLERANCE:g}, {POINTS - len(trusted)} marked; "
            f"elements per period: median {np.median(elements):g}, at most {np.max(elements):g}."
        ]
        own = relative_error(solution.heat.array[chosen], exactly)
        return Row(self.name, Contender("coldspot", ours, own), self.target, compiled, found, notes)
