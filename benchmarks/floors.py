"""What rows that are not met must do at the least: their operations, counted, at the speed that each has here.

    python -m benchmarks.floors [ROW …] [--repeats N]

Operations of a point are counted by hand from what the row's method computes: exponentials, logarithms, quotients,
multiplications with an addition, numbers of results, and its share of a call. The time of each is measured in the same
run, in compiled programs that do little else: processor time, the least of many repetitions. Their sum, shared by all
cores, is what programs of this kind cannot go below; rows and peers are measured beside it. "asked" is the time that
would meet the row, "factor" what coldspot takes in units of the floor. Where the floor is above what is asked, no
program of this kind meets it with this method.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot import parallel

from . import driven_dots, random_networks, random_noises, single_dot, spin_pair
from .measure import Row, Task, interleave
from .run import facts

LANES = 16384
"""Numbers of an array whose operations are timed: those of a large call."""
CHAIN = 16
"""Operations of a kind on each of them."""


class Counts(NamedTuple):
    """Operations of one point; `calls` is its share of a call of compiled code."""

    exponentials: float = 0.0
    logarithms: float = 0.0
    quotients: float = 0.0
    products: float = 0.0
    results: float = 0.0
    calls: float = 0.0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*[a + b for a, b in zip(self, other, strict=True)])

    def times(self, factor: float) -> "Counts":
        return Counts(*[factor * a for a in self])


class Prices(Counts):
    """Seconds of a core that one of each takes."""


class Floor(NamedTuple):
    """What a row is asked for and takes, in seconds per point, and the parts of its floor."""

    row: str
    beside: str
    asked: float
    measured: float
    parts: Counts

    @property
    def floor(self) -> float:
        return float(sum(self.parts))


# --------------------------------------------------------------------------- prices


def _chained(step: Callable[[Any, int], Any]) -> Callable[[Any], Any]:
    return jax.jit(lambda x: sum((step(x, k) for k in range(1, CHAIN)), step(x, 0)))


def _polynomial(x: Any) -> Any:
    """Four chains at once, each as long as the others' operations: a processor waits for none of them."""
    ends = [x + k for k in range(4)]
    for k in range(CHAIN):
        ends = [end * x + 0.01 * (k + j) for j, end in enumerate(ends)]
    return sum(ends[1:], ends[0])


def prices(repeats: int = 200, lanes: int = LANES) -> Prices:
    """Seconds of a core for one operation of each kind, on this machine."""
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 0.9, lanes))
    programs = {
        "nothing": jax.jit(lambda x: x + 1.0),
        "sums": _chained(lambda x, k: x + k),
        "exponentials": _chained(lambda x, k: jnp.exp(x + k)),
        "logarithms": _chained(lambda x, k: jnp.log(x + k)),
        "quotients": _chained(lambda x, k: 0.3 / (x + k)),
        "products": jax.jit(_polynomial),
        "results": jax.jit(lambda x: [x + k for k in range(CHAIN)]),
    }
    took = dict.fromkeys(programs, np.inf)
    for program in programs.values():
        jax.block_until_ready(program(x))
    one = x[:1]
    jax.block_until_ready(programs["nothing"](one))
    call = np.inf
    for _ in range(repeats):
        for name, program in programs.items():
            took[name] = min(took[name], _cpu(program, x))
        call = min(call, _cpu(programs["nothing"], one))

    def each(name: str, without: str, count: int) -> float:
        return max(took[name] - took[without], 0.0) / (count * lanes)

    return Prices(
        exponentials=each("exponentials", "sums", CHAIN),
        logarithms=each("logarithms", "sums", CHAIN),
        quotients=each("quotients", "sums", CHAIN),
        products=each("products", "nothing", 4 * CHAIN),
        results=each("results", "nothing", CHAIN - 1),
        calls=call,
    )


def _cpu(program: Callable[[Any], Any], x: Any) -> float:
    start = time.process_time()
    jax.block_until_ready(program(x))
    return time.process_time() - start


# --------------------------------------------------------------------------- counts


def elimination(states: int, targets: int) -> float:
    """Multiply–adds that eliminate states one by one, carrying what each of the targets gains, and go back.

    With k states left: k² updates, k for each target and for the time; going back, k for the populations and for each.
    """
    return float(sum(k * k + 2 * k * (targets + 1) for k in range(1, states)))


def network(states: int, transitions: int, baths: int, counted: int, calls: float) -> Counts:
    """A static network: populations, heats, particles of `counted` baths, a bound of each, and σ in two ways.

    A transition takes an exponential and two quotients, its flows two products, an average and its bound two each.
    """
    targets = baths + counted
    return Counts(
        exponentials=transitions,
        logarithms=states,
        quotients=2 * transitions + states + 2 * baths,
        products=elimination(states, targets) + transitions * (4 + 4 * targets) + targets * states,
        results=2 * (4 * baths + 2) + 2 * baths + states + 4,
        calls=calls,
    )


def covariances(states: int, transitions: int, baths: int, counted: int) -> Counts:
    """What noises take beside the state: two more targets of its elimination, and sums over transitions."""
    pairs, targets = baths * (baths + 1) // 2, baths + counted
    visits = elimination(states, targets + 2) - elimination(states, targets)
    more = transitions * (2 * baths + 4 * pairs) + baths * states * states
    return Counts(products=visits + more, results=2 * baths**2)


def dot(calls: float) -> Counts:
    """One level between two leads in closed form: two rates, the difference of two affinities, and what follows."""
    return Counts(exponentials=3, quotients=12, products=60, results=28, calls=calls)


def periodic(elements: float, transitions: int, drives: int, calls: float) -> Counts:
    """Elements of four Radau stages on four states, for all meshes up to the last: 2 + 4 + … + K.

    The rates at each stage, a cosine of each drive; 16 equations with 4 right-hand sides by blocks take 1,500
    multiply–adds, functionals of 5 rows 320.
    """
    one = Counts(
        exponentials=4 * (transitions + drives), quotients=8 * transitions, products=1500 + 320 + 16 * transitions
    )
    return one.times(2 * elements - 2)._replace(results=40, calls=calls)


# --------------------------------------------------------------------------- rows


def _of_row(row: Row, counts: Counts, price: Counts) -> Iterable[Floor]:
    ours = row.coldspot.timing
    assert ours is not None
    parts = Counts(*[n * p / parallel.workers() for n, p in zip(counts, price, strict=True)])
    if row.target is not None:
        yield Floor(row.name, "time", row.target, ours.median, parts)
    for peer in row.peers:
        if peer.timing is not None and peer.target_ratio is not None:
            name = f"{peer.name}, ≥ {peer.target_ratio:g} ×"
            yield Floor(row.name, name, peer.timing.median / peer.target_ratio, ours.median, parts)


def _random(name: str, repeats: int, price: Counts) -> Iterable[Floor]:
    noisy = name in random_noises.DOTS
    dots = (random_noises if noisy else random_networks).DOTS[name]
    size = (1 << dots, len(random_networks.transitions(dots)), len(random_networks.BATHS))
    counts = network(*size, 2, 1 / 1024)
    if noisy:
        counts = counts.plus(covariances(*size, 2))
    row = (random_noises if noisy else random_networks).measure(name, repeats)
    return _of_row(row, counts, price)


def _driven(name: str, repeats: int, price: Counts) -> Iterable[Floor]:
    case = next(case for case in (*driven_dots.CASES, *spin_pair.CASES) if case.name == name)
    found = case.solve(case.columns(2000))
    elements = float(np.median(found.statistics["elements"][np.asarray(found.ok)]))
    transitions = len(driven_dots.TRANSITIONS) if name == "driven-dots" else 4
    return _of_row(case.measure(repeats), periodic(elements, transitions, 2, 1 / 256), price)


def _single(name: str, repeats: int, price: Counts) -> Iterable[Floor]:
    columns = single_dot.columns(single_dot.POINTS)
    grid = {
        "level": np.linspace(-15, 15, single_dot.POINTS // 96),
        "right.chemical_potential": np.linspace(-5, 0, 96),
    }
    machine = cs.machines.QuantumDot()
    times = interleave(
        {
            "bare": Task(lambda: single_dot.by_calls(columns), single_dot.POINTS),
            "sweep": Task(lambda: cs.sweep(machine, grid, progress=False), single_dot.POINTS),
            "formula": Task(lambda: single_dot.closed_form(columns), single_dot.POINTS),
        },
        repeats,
    )
    bare, swept, formula = times["bare"], times["sweep"], times["formula"]
    assert bare is not None
    assert swept is not None
    assert formula is not None
    cores = parallel.workers()
    alone = Counts(*[n * p / cores for n, p in zip(dot(1 / single_dot.CHUNK), price, strict=True)])
    # Each number of the table is written once more than the program wrote it, by one thread.
    shown = cs.sweep(machine, grid, progress=False)
    numbers = sum(v.nbytes for v in shown.data_vars.values()) / 8 / single_dot.POINTS
    yield Floor(name, "time, ≤ .06 µs", 0.06e-6, bare.median, alone)
    yield Floor(name, "NumPy's formula, ≥ .25 ×", formula.median / 0.25, bare.median, alone)
    yield Floor("sweep of the dot", "program alone, ≤ 2 ×", 2 * bare.median, swept.median, alone._replace(
        results=alone.results + numbers * price.results
    ))  # fmt: skip


ROWS: dict[str, Callable[[str, int, Counts], Iterable[Floor]]] = {
    "single-dot": _single,
    **dict.fromkeys(("random-8", "random-16", "random-8-noise", "random-16-noise"), _random),
    **dict.fromkeys(("spin-pair", "driven-dots"), _driven),
}


# --------------------------------------------------------------------------- the table


def table(floors: Iterable[Floor]) -> str:
    """One line for each demand; times in µs per point of all cores."""
    kinds = Counts._fields
    head = ("row", "beside", "asked", "measured", "met", "floor", *kinds, "factor", "what stands between")
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for f in floors:
        met = f.measured <= f.asked
        if met:
            words = "nothing"
        elif f.floor > f.asked:
            words = f"the floor itself; at best {f.asked / f.floor:.2g} of what is asked"
        else:
            words = f"copies, gathers and checks: {(f.measured - f.floor) * 1e6:.3g} µs"
        numbers = [f"{x * 1e6:.3g}" for x in (f.asked, f.measured)]
        parts = [f"{x * 1e6:.2g}" for x in f.parts]
        cells = [f.row, f.beside, *numbers, "yes" if met else "no", f"{f.floor * 1e6:.3g}", *parts]
        lines.append(" | ".join([*cells, f"{f.measured / f.floor:.3g}", words]))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floors", description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"among {', '.join(ROWS)} (default: all)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for name in options.rows:
        if name not in ROWS:
            parser.error(f"there is no row `{name}`; rows are {', '.join(ROWS)}")
    print(", ".join(f"{name} {value}" for name, value in facts().items()))
    price = prices()
    print("ns of a core: " + ", ".join(f"{n} {p * 1e9:.3g}" for n, p in zip(Counts._fields, price, strict=True)))
    print(flush=True)
    print(table([f for name in options.rows or ROWS for f in ROWS[name](name, options.repeats, price)]))


if __name__ == "__main__":
    main()
