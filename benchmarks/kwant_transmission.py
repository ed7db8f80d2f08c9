"""`cs.transmission` of `cs.Conductor.from_kwant` beside Kwant's `smatrix`: five systems, a long chain and a wide strip.

    python -m benchmarks.kwant_transmission

It needs an interpreter that has both; Kwant 1.5 has to be built with a NumPy below 2, with which coldspot runs, too.
Differences are absolute, of transmissions of a few open channels; energies are drawn at random from the band. The third
route, T = tr[Γ G Γ G†] by NumPy's inverse with Kwant's self-energies, tells whose rounding a difference is.
"""

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

import coldspot as cs

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MUMPS is not in Kwant's wheel
        import kwant
except ImportError as missing:
    raise SystemExit(
        "benchmarks.kwant_transmission compares with Kwant, which this interpreter does not have; install `kwant` "
        "beside coldspot (Kwant 1.5 is built with a NumPy below 2)."
    ) from missing

ENERGIES = 40
CHAIN, STRIP = 10_000, (500, 20)
SQUARE = kwant.lattice.square(norbs=1)
GRAPHENE = kwant.lattice.honeycomb(norbs=1)


def attached(system: Any, width: int, shift: int, onsite: float = 0.0, hopping: float = -1.0) -> Any:
    """A square lattice's leads of that width on the left and the right of a system that begins at y = shift."""
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(SQUARE(0, j + shift) for j in range(width))] = onsite
    lead[SQUARE.neighbors()] = hopping
    system.attach_lead(lead)
    system.attach_lead(lead.reversed())
    return system.finalized()


def disordered() -> Any:
    """A strip of the square lattice with random energies."""
    rng, system = np.random.default_rng(1), kwant.Builder()
    for i in range(30):
        for j in range(8):
            system[SQUARE(i, j)] = rng.uniform(-0.5, 0.5)
    system[SQUARE.neighbors()] = -1.0
    return attached(system, 8, 0)


def point_contact() -> Any:
    """A saddle in a strip of the square lattice."""
    system = kwant.Builder()
    for i in range(30):
        for j in range(10):
            system[SQUARE(i, j)] = 0.8 * np.exp(-(((i - 14.5) / 5) ** 2)) * ((j - 4.5) / 3) ** 2
    system[SQUARE.neighbors()] = -1.0
    return attached(system, 10, 0)


def ring() -> Any:
    """A ring with a flux, as a phase of the hoppings that cross a line above its hole."""
    system = kwant.Builder()

    def inside(place: Any) -> bool:
        return 4.0 < np.hypot(*place) < 9.0

    def hopping(one: Any, other: Any) -> complex:
        (x, y), (u, _) = one.pos, other.pos
        crossed = y > 0 and {round(x), round(u)} == {0, 1}
        return -np.exp(1j * 0.7 * np.sign(x - u)) if crossed else -1.0

    system[SQUARE.shape(inside, (6, 0))] = 0.0
    system[SQUARE.neighbors()] = hopping
    return attached(system, 3, -1)


def double_dot() -> Any:
    """Two levels between chains."""
    system = kwant.Builder()
    system[SQUARE(0, 0)], system[SQUARE(1, 0)] = 0.2, -0.15
    system[SQUARE(-1, 0)] = system[SQUARE(2, 0)] = 0.0
    system[SQUARE(0, 0), SQUARE(1, 0)] = -0.1
    system[SQUARE(-1, 0), SQUARE(0, 0)] = system[SQUARE(1, 0), SQUARE(2, 0)] = -0.4
    return attached(system, 1, 0)


def ribbon() -> Any:
    """A zigzag ribbon of graphene with random energies."""
    rng, system = np.random.default_rng(2), kwant.Builder()
    height = 7.0
    energies: dict[Any, float] = {}

    def onsite(site: Any) -> float:
        return energies.setdefault((site.family.name, *site.tag), float(rng.uniform(-0.3, 0.3)))

    system[GRAPHENE.shape(lambda p: abs(p[0]) < 8 and 0 <= p[1] < height, (0, 0))] = onsite
    system[GRAPHENE.neighbors()] = -1.0
    lead = kwant.Builder(kwant.TranslationalSymmetry(GRAPHENE.vec((-1, 0))))
    lead[GRAPHENE.shape(lambda p: 0 <= p[1] < height, (0, 0))] = 0.0
    lead[GRAPHENE.neighbors()] = -1.0
    system.attach_lead(lead)
    system.attach_lead(lead.reversed())
    return system.finalized()


SYSTEMS: dict[str, tuple[Callable[[], Any], tuple[float, float]]] = {
    "square lattice with disorder": (disordered, (-3.5, 3.5)),
    "quantum point contact": (point_contact, (-3.5, 0.0)),
    "ring with flux": (ring, (-2.5, 2.5)),
    "double dot": (double_dot, (-1.5, 1.5)),
    "graphene ribbon": (ribbon, (-2.5, 2.5)),
}


def kwants(system: Any, energies: Any) -> np.ndarray:
    return np.array([kwant.smatrix(system, energy).transmission(1, 0) for energy in energies])


def plain(system: Any, energy: float) -> float:
    """Of sites with one orbital each; one step of Newton's method refines the inverse."""
    h = system.hamiltonian_submatrix()
    matrix, parts = energy * np.eye(len(h)) - h + 0j, []
    for lead, sites in zip(system.leads, system.lead_interfaces, strict=True):
        sigma = lead.selfenergy(energy)
        matrix[np.ix_(sites, sites)] -= sigma
        parts.append((sites, 1j * (sigma - sigma.conj().T)))
    green = np.linalg.inv(matrix)
    green = green @ (2 * np.eye(len(h)) - matrix @ green)
    (one, out), (other, into) = parts
    block = green[np.ix_(other, one)]
    return float(np.trace(into @ block @ out @ block.conj().T).real)


def compared(name: str) -> tuple[int, np.ndarray]:
    """Sites, and transmissions (route, energy) at random energies by coldspot, by Kwant and by NumPy."""
    make, (low, high) = SYSTEMS[name]
    system = make()
    energies = np.random.default_rng(3).uniform(low, high, ENERGIES)
    conductor = cs.Conductor.from_kwant(system)
    ours = np.asarray(cs.transmission(conductor, energies, "lead0", "lead1"))
    return conductor.sites, np.stack([ours, kwants(system, energies), [plain(system, energy) for energy in energies]])


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def strip(length: int, width: int) -> Any:
    """With as much disorder as lets some channels through."""
    rng, system = np.random.default_rng(4), kwant.Builder()
    for i in range(length):
        for j in range(width):
            system[SQUARE(i, j)] = rng.uniform(-1, 1) / np.sqrt(length)
    system[SQUARE.neighbors()] = -1.0
    return attached(system, width, 0)


def timed(length: int, width: int, ours: int, theirs: int, repeats: int) -> tuple[float, float, float]:
    """Seconds per energy of coldspot and of Kwant in turn, each the median, and the largest difference."""
    system = strip(length, width)
    conductor = cs.Conductor.from_kwant(system)
    energies = np.random.default_rng(5).uniform(-1.5, 1.5, ours)
    found = np.asarray(cs.transmission(conductor, energies, "lead0", "lead1"))
    own, other = [], []
    for _ in range(repeats):
        own.append(seconds(lambda: np.asarray(cs.transmission(conductor, energies, "lead0", "lead1"))) / ours)
        other.append(seconds(lambda: kwants(system, energies[:theirs])) / theirs)
    off = np.max(np.abs(found[:theirs] - kwants(system, energies[:theirs])))
    return float(np.median(own)), float(np.median(other)), float(off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    packages = ("kwant", "jax", "numpy", "scipy")
    versions = {"coldspot": cs.__version__} | {name: metadata.version(name) for name in packages}
    print(", ".join(f"{name} {number}" for name, number in versions.items()), f"Python {platform.python_version()}")
    print(f"cores {os.cpu_count()}, load at start {os.getloadavg()[0]:.2f}\n")
    print("| system | sites | transmission | coldspot − Kwant | coldspot − NumPy | Kwant − NumPy |")
    print("|--------|-------|--------------|------------------|------------------|---------------|")
    for name in SYSTEMS:
        sites, found = compared(name)
        off = [np.max(np.abs(found[one] - found[other])) for one, other in ((0, 1), (0, 2), (1, 2))]
        cells = " | ".join(f"{value:.1e}" for value in off)
        print(f"| {name} | {sites} | up to {np.max(found):.2f} | {cells} |", flush=True)
    print("\n| work | energies | coldspot, ms per energy | Kwant, ms per energy | Kwant / coldspot | difference |")
    print("|------|----------|-------------------------|----------------------|------------------|------------|")
    for label, shape, ours, few in (("chain", (CHAIN, 1), 1024, 3), ("strip", STRIP, 64, 8)):
        own, other, off = timed(*shape, ours, few, options.repeats)
        work = f"{label} of {shape[0]} × {shape[1]} sites"
        print(
            f"| {work} | {ours} | {1e3 * own:.3g} | {1e3 * other:.3g} | {other / own:.3g} | {off:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
