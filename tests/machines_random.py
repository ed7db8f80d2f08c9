"""Random machines for the laws: graphs with channels of every kind, and parameters from ordinary to extreme.

A `Topology` is a graph with its baths and kinetics; called with one point's numbers it builds the network (it is
hashable and traceable, so that one compiled program serves all its points). `draw` makes the numbers.
`routes` reads the same two things without touching the package.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import coldspot as cs
from coldspot import tiers
from coldspot.compiler import LIGHT
from coldspot.dynamics import solve_points
from coldspot.pytrees import compiled
from coldspot.tiers import Tiers

CUTOFF = 8.0
"""Cut-off of the spectra called ohmic; they have a kink where levels cross, the linear ones have none."""


class Edge(NamedTuple):
    """A channel: its bath (two for a transition that both cause together), its states, its law of kinetics."""

    baths: tuple[str, ...]
    initial: int
    final: int
    law: str


@dataclass(frozen=True)
class Topology:
    """A graph with baths and channels, and what its drives a(θ), b(θ) move (nothing if `driven` is empty).

    `driven` may hold: `energy` (E_i + a·U_i + sin(b)·V_i), `potential` (μ of the first bath + a/2), `temperature`
    (T of the last bath × e^{0.3b}), `rate` (strength of the first edge × e^b), `barrier` (B of every edge + b·W).
    """

    name: str
    occupations: tuple[int, ...]
    baths: tuple[tuple[str, str], ...]
    edges: tuple[Edge, ...]
    driven: tuple[str, ...] = ()
    degenerate: bool = False

    @property
    def states(self) -> int:
        return len(self.occupations)

    def bath_index(self, name: str) -> int:
        return [n for n, _ in self.baths].index(name)

    def __call__(self, shared, point) -> cs.JumpNetwork:
        baths = {
            name: _bath(self, k, kind, point["temperature"][k], point["potential"][k])
            for k, (name, kind) in enumerate(self.baths)
        }
        energies = point["energies"]
        if "energy" in self.driven:
            energies = DrivenEnergies(energies, point["tilt"], point["wave"])
        options = {}
        if self.driven:
            options = {
                "drives": {"a": cs.Cosine(point["amplitude"]), "b": cs.Cosine(point["amplitude"], point["phase"])},
                "period": point["period"],
            }
        return cs.JumpNetwork(
            energies=energies,
            occupations=self.occupations,
            baths=baths,
            channels=[self._channel(k, edge, point) for k, edge in enumerate(self.edges)],
            **options,
        )

    def _channel(self, k: int, edge: Edge, point) -> cs.Channel:
        strength, barrier = point["strength"][k], point["barrier"][k]
        laws = {
            "tunnelling": lambda: cs.Tunnelling(strength),
            "glauber": lambda: cs.Glauber(strength),
            "arrhenius": lambda: cs.Arrhenius(barrier, strength),
            "bosonic": lambda: cs.Bosonic(strength),
            "ohmic": lambda: cs.Bosonic(cs.Ohmic(strength, CUTOFF)),
            "linear": lambda: cs.Bosonic(cs.Ohmic(strength)),
        }
        law = laws[edge.law]()
        if "rate" in self.driven and k == 0:
            law = DrivenTunnelling(strength)
        if "barrier" in self.driven:
            law = DrivenArrhenius(barrier, strength, point["sway"][k])
        bath = edge.baths[0]
        if len(edge.baths) == 2:
            part = point["fraction"][k]
            energy = point["energies"][edge.final] - point["energies"][edge.initial]
            number = self.occupations[edge.final] - self.occupations[edge.initial]
            # Particles may come from the first bath only; energy from both.
            first = cs.Share(part * energy, number)
            bath = {edge.baths[0]: first, edge.baths[1]: cs.Share(energy - part * energy)}
        return cs.Channel(bath, edge.initial, edge.final, law)


class DrivenEnergies(eqx.Module):
    """E_i + a·U_i + sin(b)·V_i: not linear in b, so that the slope of the energies matters."""

    base: Array
    tilt: Array
    wave: Array

    def __call__(self, values):
        return self.base + values["a"] * self.tilt + jnp.sin(values["b"]) * self.wave


class DrivenLead(eqx.Module):
    temperature: Array
    potential: Array
    shift: float = eqx.field(static=True)
    warm: float = eqx.field(static=True)

    def __call__(self, values):
        return cs.ElectronBath(
            self.temperature * jnp.exp(self.warm * values["b"]), self.potential + self.shift * values["a"]
        )


class DrivenBosons(eqx.Module):
    temperature: Array

    def __call__(self, values):
        return cs.BosonBath(self.temperature * jnp.exp(0.3 * values["b"]))


class DrivenTunnelling(eqx.Module):
    gamma: Array

    def __call__(self, values):
        return cs.Tunnelling(self.gamma * jnp.exp(values["b"]))


class DrivenArrhenius(eqx.Module):
    barrier: Array
    rate: Array
    sway: Array

    def __call__(self, values):
        return cs.Arrhenius(self.barrier + values["b"] * self.sway, self.rate)


def _bath(t: Topology, k: int, kind: str, temperature, potential):
    shifted = "potential" in t.driven and k == 0
    warmed = "temperature" in t.driven and k == len(t.baths) - 1
    if kind == "electron":
        if shifted or warmed:
            return DrivenLead(temperature, potential, 0.5 if shifted else 0.0, 0.3 if warmed else 0.0)
        return cs.ElectronBath(temperature, potential)
    if warmed:
        return DrivenBosons(temperature)
    return cs.HeatBath(temperature) if kind == "heat" else cs.BosonBath(temperature)


# --------------------------------------------------------------------------- graphs

_LEADS = (("left", "electron"), ("right", "electron"))
_THREE = (("cold", "heat"), ("warm", "boson"), ("hot", "boson"))
_MIXED = (("left", "electron"), ("right", "electron"), ("phonons", "boson"), ("plate", "heat"))


def _thermal(name: str, states: int, pairs, laws=("glauber", "ohmic", "ohmic"), **more) -> Topology:
    """Neutral states; edge number k belongs to bath k mod 3 and has that bath's law."""
    edges = tuple(Edge((_THREE[k % 3][0],), i, f, laws[k % 3]) for k, (i, f) in enumerate(pairs))
    return Topology(name, (0,) * states, _THREE, edges, **more)


def _charged(name: str, occupations, pairs, **more) -> Topology:
    """Edges that move a particle belong to the leads in turn, the others to phonons and plate in turn."""
    edges, counts = [], [0, 0]
    for i, f in pairs:
        neutral = occupations[i] == occupations[f]
        turn = counts[neutral] % 2
        counts[neutral] += 1
        bath, law = (
            (("phonons", "ohmic"), ("plate", "arrhenius"))[turn]
            if neutral
            else ((("left", "tunnelling"), ("right", "tunnelling"))[turn])
        )
        edges.append(Edge((bath,), i, f, law))
    return Topology(name, tuple(occupations), _MIXED, tuple(edges), **more)


def _chain(n):
    return [(k, k + 1) for k in range(n - 1)]


def _ring(n):
    return [(k, (k + 1) % n) for k in range(n)]


def _star(n):
    return [(0, k) for k in range(1, n)]


def _complete(n):
    return [(i, f) for i in range(n) for f in range(i + 1, n)]


def _grid(rows, columns):
    across = [(r * columns + c, r * columns + c + 1) for r in range(rows) for c in range(columns - 1)]
    return across + [(r * columns + c, (r + 1) * columns + c) for r in range(rows - 1) for c in range(columns)]


def _bits(n):
    return [(s, s | (1 << k)) for s in range(2**n) for k in range(n) if not s >> k & 1]


def _dots(name: str, n: int, **more) -> Topology:
    """n Coulomb-coupled dots; dot k hangs on both leads (its edges double) and the leads differ for each."""
    pairs = _bits(n)
    edges = tuple(Edge((bath,), i, f, "tunnelling") for i, f in pairs for bath in ("left", "right"))
    return Topology(name, tuple(int(s).bit_count() for s in range(2**n)), _LEADS, edges, **more)


def _both(name: str, occupations, pairs) -> Topology:
    """As `_charged`, and every second neutral or charged edge is helped by the phonons (two baths in one event)."""
    plain = _charged(name, occupations, pairs)
    edges = [
        Edge((e.baths[0], "phonons" if e.baths[0] != "phonons" else "plate"), e.initial, e.final, "tunnelling")
        if k % 2
        else e
        for k, e in enumerate(plain.edges)
    ]
    return replace(plain, edges=tuple(edges) + plain.edges)


DOT = Topology("dot", (0, 1), _LEADS, (Edge(("left",), 0, 1, "tunnelling"), Edge(("right",), 0, 1, "tunnelling")))

STATIC = (
    DOT,
    _thermal("two-level", 2, [(0, 1)] * 3, ("glauber", "bosonic", "ohmic")),
    _thermal("parallel-9", 2, [(0, 1), (1, 0), (0, 1)] * 3, ("glauber", "bosonic", "arrhenius")),
    _thermal("chain-3", 3, _chain(3) * 2),
    _charged("chain-4", (0, 1, 2, 1), _chain(4) * 2),
    _thermal("chain-8", 8, _chain(8) + _chain(8)[::-1], ("glauber", "bosonic", "arrhenius")),
    _charged("chain-16", (0, 1) * 8, _chain(16) * 2),
    _thermal("ring-3", 3, _ring(3), ("arrhenius", "bosonic", "bosonic")),
    _charged("ring-4", (0, 1, 2, 1), _ring(4)),
    _charged("ring-5", (0, 1, 1, 2, 1), _ring(5)),
    _thermal("ring-8", 8, _ring(8)),
    _charged("ring-16", (0, 1) * 8, _ring(16)),
    _charged("star-5", (0, 1, 1, 0, 1), _star(5) * 2),
    _thermal("star-8", 8, _star(8) * 2),
    _thermal("complete-4", 4, _complete(4)),
    _charged("complete-5", (0, 0, 1, 1, 2), [p for p in _complete(5) if p not in ((0, 4), (1, 4))]),
    _thermal("complete-8", 8, _complete(8)),
    _charged(
        "ladder-8", (0, 0, 1, 1, 2, 2, 3, 3), [(k, k + 1) for k in range(0, 8, 2)] + [(k, k + 2) for k in range(6)]
    ),
    _charged("grid-16", tuple(r + c for r in range(4) for c in range(4)), _grid(4, 4)),
    _thermal("bow-tie", 5, [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 2)]),
    _thermal("theta", 6, [(0, 1), (1, 5), (0, 2), (2, 3), (3, 5), (0, 4), (4, 5)]),
    _charged("tree-7", (0, 1, 1, 2, 2, 1, 2), [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)] * 2),
    _thermal("bipartite-6", 6, [(i, f) for i in range(3) for f in range(3, 6)]),
    _dots("two-dots", 2),
    _dots("three-dots", 3),
    _dots("four-dots", 4),
    _both("assisted-4", (0, 1, 1, 2), [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]),
    _thermal("degenerate-8", 8, _ring(8) + _chain(8)[::2], ("glauber", "ohmic", "arrhenius"), degenerate=True),
    replace(_dots("degenerate-dots", 3), degenerate=True),
    replace(_dots("two degenerate dots", 2), degenerate=True),
    _charged("ring-10", (0, 1) * 5, _ring(10)),
)

DRIVEN = (
    replace(DOT, name="driven dot", driven=("energy",)),
    replace(DOT, name="dot, driven potential", driven=("potential",)),
    replace(DOT, name="dot, all driven", driven=("energy", "potential", "temperature", "rate")),
    _thermal("driven ring-3", 3, _ring(3), ("glauber", "linear", "linear"), driven=("energy",)),
    _dots("driven two-dots", 2, driven=("energy", "rate")),
    _charged("driven ring-4", (0, 1, 2, 1), [*_ring(4), (1, 3)], driven=("energy", "temperature", "potential")),
    _thermal("driven ring-5", 5, _ring(5), ("glauber", "linear", "linear"), driven=("energy",)),
    _thermal("driven complete-4", 4, _complete(4), ("glauber", "linear", "glauber"), driven=("energy",)),
    _charged(
        "driven ladder-8", (0, 0, 1, 1, 2, 2, 3, 3), [(k, k + 2) for k in range(6)] + [(0, 1)], driven=("energy",)
    ),
    _thermal("driven degenerate-3", 3, _complete(3), ("glauber",) * 3, driven=("energy",), degenerate=True),
)

KINDS = ("ordinary", "extreme", "equilibrium", "near equilibrium")


def draw(t: Topology, rng: np.random.Generator, points: int, kind: str = "ordinary") -> dict[str, np.ndarray]:
    """Numbers for `points` machines: (point, …) arrays.

    - `ordinary`: energies, temperatures and biases of one size, rates over two decades;
    - `extreme`: levels to many times the temperatures, temperatures over three decades, rates over twelve;
    - `equilibrium`: all temperatures and all chemical potentials equal;
    - `near equilibrium`: equal but for one part in 1e9 to 1e14.
    """
    n, baths, edges = t.states, len(t.baths), len(t.edges)
    electrons = np.array([k == "electron" for _, k in t.baths])
    wide = kind == "extreme"
    energies = rng.normal(0.0, 12.0 if wide else 2.0, (points, n))
    temperature = np.exp(rng.uniform(-3.5, 3.0, (points, baths)) if wide else rng.uniform(-1.2, 1.2, (points, baths)))
    potential = rng.uniform(-1, 1, (points, baths)) * (15.0 if wide else 3.0) * electrons
    if kind in ("equilibrium", "near equilibrium"):
        temperature[:] = temperature[:, :1]
        potential = np.where(electrons, potential[:, np.argmax(electrons)][:, None], 0.0)
    if kind == "near equilibrium":
        size = 10 ** rng.uniform(-14, -9, (points, 1))
        temperature *= 1 + size * rng.uniform(-1, 1, (points, baths))
        potential += size * rng.uniform(-1, 1, (points, baths)) * electrons
    if t.degenerate:
        energies = np.zeros((points, n)) + np.array(t.occupations) * rng.normal(0, 2.0, (points, 1))
    return {
        "energies": energies,
        "temperature": temperature,
        "potential": potential,
        "strength": 10 ** rng.uniform(*((-6, 6) if wide else (-1, 1)), (points, edges)),
        "barrier": np.max(energies, axis=1, keepdims=True) + rng.uniform(0, 2, (points, edges)),
        "fraction": rng.uniform(-0.5, 1.5, (points, edges)),
        "tilt": rng.normal(0, 1.0, (points, n)),
        "wave": rng.normal(0, 1.0, (points, n)),
        "sway": rng.normal(0, 1.0, (points, edges)),
        "amplitude": rng.uniform(0.1, 1.0, points),
        "phase": rng.uniform(0, 2 * np.pi, points),
        "period": 10 ** rng.uniform(-1, 3, points),
    }


def join(*columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Several draws as one batch."""
    return {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}


def pick(columns: dict[str, np.ndarray], index: int) -> dict[str, np.ndarray]:
    """One point of a draw."""
    return {name: values[index] for name, values in columns.items()}


def take(s: cs.Solution, index: np.ndarray) -> cs.Solution:
    """Some of the points."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index] if eqx.is_array(leaf) else leaf, s)


def _lightly(way):
    return compiled(way.__wrapped__, **LIGHT)


def one_way(k: int) -> Callable[[Topology, dict[str, np.ndarray]], cs.Solution]:
    """All points by the cheapest way (0) or the sure one (1), traced anew."""
    way = _lightly(solve_points.solve if k else solve_points.attempts[0])

    def solved(t: Topology, columns: dict[str, np.ndarray]) -> cs.Solution:
        found = way(t, None, {name: jnp.asarray(values) for name, values in columns.items()}, jnp.asarray(1e-8))
        return found if k else found[0]

    return solved


OPTIMISED = ("dot", "two-dots", "two degenerate dots")
"""Undriven machines whose programs are those of large sweeps; the others' are compiled as those of one point are."""
WHOLE = (
    "ring-3", "ring-4", "assisted-4", "parallel-9", "bow-tie", "three-dots", "degenerate-dots", "ring-10",
)  # fmt: skip
"""Others that are solved in all ways; the rest, to compile less, in two: the first attempt or the second, in turn."""
ATTEMPTS = tuple(map(_lightly, solve_points.attempts))
SURE = _lightly(solve_points.solve)


def way(t: Topology) -> Tiers:
    """How the points of an undriven machine are solved."""
    if t.name in OPTIMISED:
        return solve_points
    turn = t in STATIC[::2]
    return Tiers(ATTEMPTS if t.name in WHOLE else ATTEMPTS[turn : turn + 1], SURE, solve_points.batch)


def solve(t, columns: dict[str, np.ndarray], tolerance: float = 1e-8) -> cs.Solution:
    """All points in one call of compiled code."""
    points = {name: jnp.asarray(values) for name, values in columns.items()}
    # Programs know no names of graphs, nor whether levels are degenerate.
    structure = replace(t, name="", degenerate=False)
    if t.driven:
        return solve_points(structure, None, points, jnp.asarray(tolerance))
    with mock.patch.object(tiers, "SIZES", ()):  # what one tier leaves goes to the next in as large a batch
        return way(t)(structure, None, points, jnp.asarray(tolerance))
