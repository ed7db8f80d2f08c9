"""Ledgers as the regimes see them: given ones and random ones."""

import numpy as np

from coldspot import regimes

TINY = 1e-12


def view(
    heat,
    work,
    temperatures,
    *,
    error=TINY,
    kinds=None,
    particles=None,
    potentials=None,
    undriven=True,
    cooled=None,
    chemical=0.0,
    steady=None,
    trusted=True,
    complete=True,
    xp=np,
):
    """What the regimes see, with the first law closed by the caller's numbers; `work` is the total."""
    heat, temperatures = xp.asarray(heat, float), xp.asarray(temperatures, float)
    zero = xp.zeros_like(heat)
    chemical = xp.asarray(chemical, float) + zero[..., 0]
    return regimes.View(
        heat=heat,
        heat_error=zero + error,
        particles=zero if particles is None else xp.asarray(particles, float),
        particles_error=zero + error,
        work_in=xp.asarray(work, float) + zero[..., 0],
        work_error=error + zero[..., 0],
        works=xp.asarray(work, float) - chemical,
        works_error=error + zero[..., 0],
        chemical=chemical,
        chemical_error=error + zero[..., 0],
        temperatures=temperatures,
        chemical_potentials=zero if potentials is None else xp.asarray(potentials, float),
        trusted=xp.full(heat.shape[:-1], trusted),
        complete=xp.full(heat.shape[:-1], complete),
        kinds=kinds or ("heat",) * heat.shape[-1],
        steady=steady or (True,) * heat.shape[-1],
        undriven=undriven,
        cooled=cooled,
    )


def random_ledgers(seed, baths, temperatures, count=400):
    """Heats and chemical works with the first law closed, small ones among them, and temperatures from a short list."""
    rng = np.random.default_rng(seed)
    heat = rng.normal(size=(count, baths)) * rng.choice([1.0, 1.0, 0.0], size=(count, baths))
    return heat, -heat.sum(-1), rng.normal(size=count), rng.choice(temperatures, size=(count, baths))
