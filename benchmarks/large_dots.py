"""Large dots beside what is known of them exactly: levels without interaction, each with leads of its own strength.

    python -m benchmarks.large_dots [ORBITALS] [--window ENERGY --cold FACTOR]

With a window only the states within that energy are kept, of baths that are colder by the factor. Each level is then
filled by itself, with the mean of the leads' Fermi functions, and the 2ⁿ populations are products; coldspot does not
know and takes all eigenstates. Prints differences beside the largest number, time and memory.
"""

import argparse
import os
import resource
import time

import numpy as np

import coldspot as cs

TEMPERATURES, POTENTIALS = (0.5, 0.8), (0.3, -0.2)


def compare(orbitals: int, seed: int = 7, window: float | None = None, cold: float = 1.0) -> dict[str, float]:
    """Differences of heats and populations, the error that is stated, states, seconds, and GB at the peak."""
    temperatures, potentials = (tuple(x / cold for x in given) for given in (TEMPERATURES, POTENTIALS))
    rng = np.random.default_rng(seed)
    levels = rng.uniform(-1, 1, orbitals)
    gammas = rng.uniform(0.5, 2, (2, orbitals)) * 1e-4
    leads = {
        name: cs.Lead(cs.ElectronBath(temperatures[k], potentials[k]), gammas[k])
        for k, name in enumerate(("left", "right"))
    }
    wall, cpu = time.perf_counter(), time.process_time()
    dots = cs.Dots(np.diag(levels), leads, window=window)
    found = cs.steady_state(dots, throw=window is None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    fermi = np.stack([1 / (1 + np.exp((levels - mu) / t)) for t, mu in zip(temperatures, potentials, strict=True)])
    current = gammas[0] * gammas[1] / gammas.sum(axis=0) * (fermi[0] - fermi[1])
    heat = np.array([np.sum((levels - potentials[0]) * current), -np.sum((levels - potentials[1]) * current)])
    size = np.abs(heat).max()
    known = {
        "status": float(found.status),
        "states": float(dots.states),
        "heats": float(np.abs(found.heat.array - heat).max() / size),
        "stated": float(np.max(found.error.heat.array) / size),
        "wall": wall,
        "cpu": cpu,
        "GB": peak,
    }
    if window is not None:
        return known
    filled = np.sum(gammas * fermi, axis=0) / gammas.sum(axis=0)
    bits = (np.arange(2**orbitals)[:, None] >> np.arange(orbitals)) & 1
    products = np.prod(np.where(bits, filled, 1 - filled), axis=1)
    order = np.lexsort((bits @ levels, bits.sum(axis=1)))
    spectrum = dots.spectrum()
    own = np.lexsort((np.asarray(spectrum.energies), np.asarray(spectrum.electrons)))
    populations = np.asarray(found.populations)[own]
    return known | {"populations": float(np.abs(populations - products[order]).max() / products.max())}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orbitals", type=int, nargs="?", default=12)
    parser.add_argument("--window", type=float, help="energy window; all states by default")
    parser.add_argument("--cold", type=float, default=1.0, help="divides the temperatures and potentials")
    given = parser.parse_args()
    found = compare(given.orbitals, window=given.window, cold=given.cold)
    print(f"{given.orbitals} orbitals", *(f"{name} {value:.3g}" for name, value in found.items()))
    print("load", *(f"{x:.1f}" for x in os.getloadavg()))
