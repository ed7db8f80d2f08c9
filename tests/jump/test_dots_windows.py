"""Windows of dots whose states left out carry what is known exactly: diagonal Hamiltonians in multiple precision."""

import mpmath
import numpy as np

import coldspot as cs
from tests import routes


def exactly(levels, repulsion, widths, t, potentials):
    """Heats and particles from each lead, in multiple precision; orbitals 0 and 1 repel each other, nothing mixes."""
    initial, final, ahead, back, carried = [], [], [], [], []
    for bias in potentials:
        for (i, level), width in zip(enumerate(levels), widths, strict=True):
            for state in (s for s in range(1 << len(levels)) if not s >> i & 1):
                beside = i < 2 and state >> (1 - i) & 1
                energy = mpmath.mpf(level) + (repulsion if beside else 0) - mpmath.mpf(bias)
                initial.append(state)
                final.append(state | 1 << i)
                ahead.append(mpmath.log(width) - mpmath.log1p(mpmath.exp(energy / t)))
                back.append(mpmath.log(width) - mpmath.log1p(mpmath.exp(-energy / t)))
                carried.append(energy)
    _, currents = routes.solve_exactly(1 << len(levels), initial, final, ahead, back, 60)
    each = len(initial) // len(potentials)
    heats = [c * e for c, e in zip(currents, carried, strict=True)]
    return [
        np.array([float(mpmath.fsum(x[k : k + each])) for k in range(0, len(initial), each)]) for x in (heats, currents)
    ]


def test_a_window_counts_what_goes_on_among_the_states_left_out():
    """A slow electron blocks a fast level: while it is away, which is a state left out, that one conducts."""
    levels, potentials = (-1.2, 0.0, 0.0), (0.05, -0.05)
    for slow, fast, t in ((1e-12, 1.0, 0.03), (1e-12, 1.0, 0.04), (1e-7, 1e-2, 0.04), (1e-10, 1e-2, 0.05)):
        widths = np.array([slow, fast, 1e-3 * slow])
        leads = {name: cs.Lead(cs.ElectronBath(t, bias), widths) for name, bias in zip("LR", potentials, strict=True)}
        with mpmath.workdps(60):
            heats, particles = exactly(levels, 3, widths.tolist(), t, potentials)
        low = cs.steady_state(cs.Dots(np.diag(levels), leads, {(0, 1): 3.0}, window=0.8), throw=False)
        assert np.all(np.abs(low.heat.array - heats) <= low.error.heat.array)
        assert np.all(np.abs(low.particles.array - particles) <= low.error.particles.array)
