"""Random undriven networks from T = 1e-6 to 1e6: how many are refused, and whether the laws hold for the others.

    python -m tests.campaign.random_networks --count 100000

Graphs of 2 to 8 states (trees, rings and more loops, parallel transitions), one to four baths of every kind at equal or
different temperatures, every kinetics. One graph compiles once and serves many points.
"""

import argparse
import collections
import time
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from tests.machines_random import Edge, Topology

NEUTRAL = ("glauber", "arrhenius", "bosonic", "linear", "ohmic")
CHARGED = ("tunnelling", "tunnelling", "glauber", "arrhenius")
KINDS = ("electron", "boson", "heat")


def random_topology(rng: np.random.Generator, number: int) -> Topology:
    """A random tree with 0 to n more transitions; each belongs to a random bath that may cause it."""
    states = int(rng.integers(2, 9))
    baths = [KINDS[k] for k in rng.integers(0, 3, rng.integers(1, 5))]
    some_leads, some_neutral = "electron" in baths, any(kind != "electron" for kind in baths)
    pairs = [(int(rng.integers(0, k)), k) for k in range(1, states)]
    for _ in range(rng.integers(0, states + 1)):
        initial = int(rng.integers(0, states))
        pairs.append((initial, int((initial + rng.integers(1, states)) % states)))
    if some_leads and some_neutral:
        numbers = [int(v) for v in rng.integers(0, 3, states)]
    elif some_leads:
        # Every transition moves a particle: numbers alternate along the tree.
        numbers = [0] * states
        for parent, child in pairs[: states - 1]:
            numbers[child] = numbers[parent] + 1
    else:
        numbers = [0] * states
    edges = []
    for initial, final in pairs:
        charged = numbers[initial] != numbers[final]
        able = [k for k, kind in enumerate(baths) if (kind == "electron") == charged]
        if not able:
            continue
        law = str(rng.choice(CHARGED if charged else NEUTRAL))
        edges.append(Edge((f"bath{rng.choice(able)}",), initial, final, law))
    named = tuple((f"bath{k}", kind) for k, kind in enumerate(baths))
    return Topology(f"random {number}", tuple(numbers), named, tuple(edges))


def extremes(t: Topology, rng: np.random.Generator, points: int) -> dict[str, np.ndarray]:
    """Numbers of `points` machines: temperatures over twelve decades, energies over six, rates over twelve.

    A quarter have equal temperatures, a quarter of those (and half of the others) equal potentials.
    """
    baths, edges = len(t.baths), len(t.edges)
    electrons = np.array([kind == "electron" for _, kind in t.baths])
    scale = 10 ** rng.uniform(-3, 3, (points, 1))
    energies = scale * rng.normal(0, 1, (points, t.states))
    base = 10 ** rng.uniform(-6, 6, (points, 1))
    spread = rng.choice([0.0, 0.3, 3.0, 12.0], (points, 1))
    temperature = np.clip(base * 10 ** (spread * rng.uniform(-0.5, 0.5, (points, baths))), 1e-6, 1e6)
    bias = rng.choice([0.0, 1e-3, 1.0], (points, 1))
    potential = scale * (rng.normal(0, 1, (points, 1)) + bias * rng.normal(0, 1, (points, baths))) * electrons
    return {
        "energies": energies,
        "temperature": temperature,
        "potential": potential,
        "strength": 10 ** rng.uniform(-6, 6, (points, edges)),
        "barrier": np.max(energies, axis=1, keepdims=True) + scale * rng.normal(0.5, 1, (points, edges)),
    }


@dataclass
class Count:
    """What a campaign saw."""

    statuses: dict[int, collections.Counter]
    broken: collections.Counter


def judge(columns: dict[str, np.ndarray], solution: cs.Solution, seen: Count) -> None:
    """Count statuses by decade of the lowest temperature, and broken laws among what is called OK."""
    status = np.asarray(solution.status)
    decades = np.floor(np.log10(columns["temperature"].min(axis=1)) + 1e-9).astype(int)
    for decade, code in zip(decades.tolist(), status.tolist(), strict=True):
        seen.statuses[decade][cs.Status(code).name] += 1
    good = status == 0
    energies, heats = np.asarray(solution.energy.array), np.asarray(solution.heat.array)
    errors = np.sum(np.asarray(solution.error.energies), axis=1)
    sigma = np.asarray(solution.entropy_production)
    sigma_error = np.sum(np.asarray(solution.error.entropy_flows), axis=1)
    rounding = 1e-12
    first = np.abs(energies.sum(axis=1)) > errors + rounding * np.max(np.abs(energies), axis=1)
    second = sigma < -sigma_error - rounding * np.max(np.abs(heats / columns["temperature"]), axis=1)
    equal = np.all(columns["temperature"] == columns["temperature"][:, :1], axis=1)
    electrons = [k for k, kind in enumerate(solution.kinds) if kind == "electron"]
    if electrons:
        potential = columns["potential"][:, electrons]
        equal &= np.all(potential == potential[:, :1], axis=1)
    moving = equal & (np.any(heats != 0, axis=1) | (errors != 0))
    seen.broken["first law"] += int(np.sum(first & good))
    seen.broken["second law"] += int(np.sum(second & good))
    seen.broken["equilibrium is zero"] += int(np.sum(moving & good))
    seen.broken["(equilibria refused)"] += int(np.sum(equal & ~good))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="networks in all")
    parser.add_argument("--graphs", type=int, default=40, help="different graphs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    seen = Count(collections.defaultdict(collections.Counter), collections.Counter())
    points = -(-options.count // options.graphs)
    start = time.perf_counter()
    for number in range(options.graphs):
        t = random_topology(rng, number)
        while len(t.edges) < t.states - 1 or not connected(t):
            t = random_topology(rng, number)
        columns = extremes(t, rng, points)
        numbers = {name: jnp.asarray(values) for name, values in columns.items()}
        solution = cs.dynamics.solve_points(t, None, numbers, jnp.asarray(1e-8))
        judge(columns, jax.device_get(solution), seen)
        refused = int(np.sum(np.asarray(solution.status) != 0))
        print(f"{t.name}: {t.states} states, {len(t.edges)} transitions, {refused} of {points} refused", flush=True)
    report(seen, time.perf_counter() - start)


def connected(t: Topology) -> bool:
    reached = {0}
    for _ in range(t.states):
        for edge in t.edges:
            if {edge.initial, edge.final} & reached:
                reached |= {edge.initial, edge.final}
    return len(reached) == t.states


def report(seen: Count, seconds: float) -> None:
    names = sorted({name for counter in seen.statuses.values() for name in counter})
    print("lowest T   " + "".join(f"{name:>15}" for name in names))
    total: collections.Counter = collections.Counter()
    for decade in sorted(seen.statuses):
        counter = seen.statuses[decade]
        total += counter
        print(f"1e{decade:+03d}      " + "".join(f"{counter[name]:15d}" for name in names))
    everything = sum(total.values())
    print("all        " + "".join(f"{total[name]:15d}" for name in names))
    print(f"refused: {1 - total['OK'] / everything:.3%} of {everything}, {seconds:.0f} s")
    for law, count in seen.broken.items():
        print(f"broken, {law}: {count}")


if __name__ == "__main__":
    main()
