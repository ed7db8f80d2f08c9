"""Ledgers of conductors with modes, integrated over energies and frequencies: does the whole junction obey its laws?

    python -m tests.campaign.boson_ledgers --count 60000

Between chains and wide bands, with back-action and without; one junction in twenty thousand of `count`, as each
takes half a minute of a core, most of it for compiling. Particles and energy are sums of integrals of their own, which
nothing makes agree.
"""

import argparse
import time

import numpy as np

import coldspot as cs


def junction(rng: np.random.Generator, chains: bool, back_action: bool) -> cs.Conductor:
    temperatures, potentials = rng.uniform(0.1, 0.5, 3), rng.uniform(-0.5, 0.5, 2)
    h = np.diag(rng.uniform(-0.5, 0.5, 2)) + 0.2 * np.array([[0, np.exp(1j)], [np.exp(-1j), 0]])
    leads: dict[str, cs.conductor.Lead] = {}
    for k, name in enumerate(("left", "right")):
        bath = cs.ElectronBath(temperatures[k], potentials[k])
        leads[name] = cs.ChainLead(k, 1.0, 0.4, bath) if chains else cs.WideBandLead(k, 0.3, bath)
    m = rng.normal(size=(2, 2, 2))
    baths = {"phonons": cs.BosonBath(temperatures[2])}
    modes = cs.Modes(rng.uniform(0.3, 0.9, 2), 0.1 * (m + m.swapaxes(1, 2)), baths, [0.1, 0.05], back_action)
    return cs.Conductor(h, leads, modes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=60_000)
    options = parser.parse_args()
    kinds = [(True, False), (False, True), (True, True)]
    for k in range(max(options.count // 20_000, 1)):
        chains, back_action = kinds[k % len(kinds)]
        title = f"{'chains' if chains else 'wide bands'}, back-action {back_action}: "
        print(title, end="", flush=True)
        start = time.process_time()
        s = cs.steady_state(junction(np.random.default_rng(k), chains, back_action), throw=False)
        energy, particles = np.asarray(s.energy.array), np.asarray(s.particles.array)
        first = abs(energy.sum()) / np.abs(energy).max()
        leak = abs(particles.sum()) / np.abs(particles).max()
        print(
            f"{cs.Status(int(s.status)).name}, first law {first:.1e}, particles {leak:.1e}, "
            f"σ {float(s.entropy_production):.3g}, relative error "
            f"{float(s.residuals['integral']):.1e}, {time.process_time() - start:.0f} cpu s",
            flush=True,
        )


if __name__ == "__main__":
    main()
