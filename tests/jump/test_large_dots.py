"""Dots too large for lists of transitions, block by block: against a dense master equation written in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points
from coldspot.jump import charge_blocks, dots
from coldspot.jump.large import _sway
from coldspot.jump.sparse import Stationary
from coldspot.solution import Status
from tests.jump import test_dots
from tests.jump.dots_by_hand import Contact, flows
from tests.tolerance import assert_close


def anything(h, u, left, right, mu, t):
    leads = {
        "left": cs.Lead(cs.ElectronBath(t[0], mu[0]), left),
        "right": cs.Lead(cs.ElectronBath(t[1], mu[1]), right),
    }
    return cs.Dots(h, leads, u)


def at(build, point):
    return build(*point)


def some(seed, factor=1.0):
    """The dots of `test_dots` without phonons, their leads stronger by a factor."""
    h, u, left, right, _, potentials, temperatures = test_dots.some(seed)
    return [h, u, factor * left, factor * right, potentials, temperatures]


def test_blocks_beside_a_dense_master_equation(monkeypatch):
    monkeypatch.setattr(dots, "MOST_FILLED", 1)
    monkeypatch.setattr(dots, "SMALL", 1)
    # Alone, each connected block has products of its own.
    monkeypatch.setattr(charge_blocks, "WORTH", 1)
    good = [some(seed) for seed in range(3)] + [some(3, factor=100.0)]
    apart, hot = some(4), some(5)
    # The last orbital is by itself, and no lead reaches it.
    apart[0] = np.diag([0.1, -0.2, 0.3])
    apart[1] = 0 * apart[1]
    apart[2], apart[3] = np.diag([0.01, 0.02, 0]), np.diag([0.02, 0.01, 0])
    hot[5] = (np.nan, 0.8)
    cold = some(6)
    cold[4], cold[5] = (0.0, 0.0), (0.5, 0.5)
    rows = [*good, apart, hot, cold]
    columns = tuple(
        jnp.asarray(np.stack([np.asarray(row[k]) + (0j if k < 4 else 0) for row in rows])) for k in range(6)
    )
    s = solve_points.attempts[0](at, anything, columns, jnp.asarray(1e-8))[0]
    assert s.status.tolist() == [int(Status.OK)] * 4 + [int(Status.NOT_UNIQUE), int(Status.INVALID), int(Status.OK)]
    for k, row in enumerate(good):
        exact = flows(*row[:2], [Contact(row[5][b], row[4][b], row[2 + b]) for b in (0, 1)])
        found, error = np.asarray(s.ledger.heats[k]), np.asarray(s.error.heats[k])
        assert_close(found, exact.heats, 1e-11)
        assert np.all(np.abs(found - exact.heats) <= error + 1e-15)
        assert_close(
            np.asarray(s.ledger.particle_numbers[k]), exact.particles, 1e-11, scale=np.max(np.abs(exact.particles))
        )
    broad, mixed = (np.asarray(s.flags[name]) for name in ("broadening-neglected", "coherence-neglected"))
    assert broad.tolist()[:4] == [False, False, False, True]
    assert mixed.tolist()[:4] == [False, False, False, True]
    # Equilibrium: nothing flows, within what is stated.
    assert np.all(np.abs(np.asarray(s.ledger.heats)[6]) <= np.asarray(s.error.heats)[6])


def test_uncertain_rates_move_nothing_in_equilibrium():
    """Flows both ways differ by rounding there, of which a part is no error: small dots once had no status OK."""
    lead = cs.Lead(cs.ElectronBath(0.5, 0.1), 0.01)
    one = cs.Dots([[0.1, 0.05], [0.05, -0.2]], {"left": lead, "right": lead})

    @jax.jit
    def found(phase):
        s, graph = one.snapshot(phase), one.graph()
        log_p = s.reference - jnp.log(jnp.sum(jnp.exp(s.reference)))
        known = Stationary(log_p, jnp.zeros(4), *[jnp.zeros(())] * 9)
        both = graph.initial.of(log_p) + s.log_forward, graph.final.of(log_p) + s.log_backward
        return jnp.exp(jnp.stack(both)), _sway(graph, s, known, s.blur)

    both, sway = map(np.asarray, found(0.0))
    assert np.any(both[0] != both[1])
    assert np.all(sway == 0)
