"""Machines with published analytic results: currents, tight coupling, Carnot and stall."""

import jax
import jax.numpy as jnp
import numpy as np

import coldspot as cs
from coldspot.dynamics import solve_points
from coldspot.machines import AbsorptionRefrigerator, MolecularMotor, OttoEngine, ThreeLevelMaser, TwoLevelPump

BATCH = 12


def solved(build, columns):
    """Steady states of `build` at each row of the columns; status unchecked."""
    return solve_points(lambda build, point: build(*point), build, jnp.asarray(columns), jnp.asarray(1e-8))


def bose(x):
    return 1 / np.expm1(x)


def cycle_current(up, down):
    """Current around 0 → 1 → 2 → 0 for rates up[k]: k → k+1 and down[k] back, by spanning trees."""
    forward, backward = np.prod(up, axis=0), np.prod(down, axis=0)
    trees = 0.0
    for root in range(3):
        # Of the three edges of the ring one is left out; the others lead to the root.
        a, b, c = root, (root + 1) % 3, (root + 2) % 3
        trees = trees + up[b] * up[c] + down[a] * up[c] + down[a] * down[b]
    return (forward - backward) / trees


def test_maser_against_its_closed_form():
    """J(0 → 2 → 1 → 0), all heats and the power; engine and refrigerator; efficiency and COP of tight coupling."""
    rng = np.random.default_rng(1)
    ratio = rng.uniform(0.05, 0.95, BATCH)
    high, cold = 10 ** rng.uniform(-0.5, 1, BATCH), np.full(BATCH, 0.7)
    hot = cold * rng.uniform(1.2, 5, BATCH)
    ratio[0] = cold[0] / hot[0]
    rates = 10 ** rng.uniform(-1, 1, (3, BATCH))
    low = ratio * high
    s = solved(
        lambda h, c, gh, gc, r, th, tc: ThreeLevelMaser(h, c, gh, gc, r, cs.BosonBath(th), cs.BosonBath(tc)),
        np.column_stack([high, low, *rates, hot, cold]),
    )
    assert np.all(np.asarray(s.status) == 0)
    n_hot, n_cold, (gh, gc, r) = bose(high / hot), bose(low / cold), rates
    # The ring 0 → 2 → 1 → 0.
    current = cycle_current([gh * n_hot, r, gc * (n_cold + 1)], [gh * (n_hot + 1), r, gc * n_cold])
    size = np.max(np.abs(current))
    for found, exact in (
        (s.heat["hot"], high * current),
        (s.heat["cold"], -low * current),
        (s.work["field"], -(high - low) * current),
    ):
        assert np.max(np.abs(found - exact) / (np.abs(exact) + 1e-3 * size)) < 1e-12
    assert s.baths == ("hot", "cold")
    engine = np.asarray(ratio > cold / hot) & (np.arange(BATCH) > 0)
    assert np.all(np.asarray(s.regime)[engine] == "engine")
    assert np.all(np.asarray(s.regime)[~engine][1:] == "refrigerator")
    assert np.allclose(np.asarray(s.efficiency)[engine], 1 - ratio[engine], rtol=1e-12, atol=0)
    assert np.allclose(np.asarray(s.cop)[~engine][1:], (ratio / (1 - ratio))[~engine][1:], rtol=1e-12, atol=0)
    # At Carnot's ratio everything stops, and no entropy is made.
    assert abs(s.heat["hot"][0]) < 1e-14 * size
    assert abs(s.entropy_production[0]) < 1e-14 * size


def test_modulated_levels_pump_with_the_ratio_of_their_sidebands():
    """Closed form of two levels; COP (ω₀−Ω)/2Ω above the critical modulation, efficiency 2Ω/(ω₀+Ω) below it."""
    rng = np.random.default_rng(5)
    cold, gap = np.full(BATCH, 0.8), 10 ** rng.uniform(-0.5, 0.5, BATCH)
    hot = cold * rng.uniform(1.1, 3, BATCH)
    critical = gap * (hot - cold) / (hot + cold)
    share = rng.uniform(0.1, 0.9, BATCH)
    fast = np.where(np.arange(BATCH) % 2 == 0, critical * share, critical + (gap - critical) * share)
    fast[0] = critical[0]
    amplitude, rates = rng.uniform(0.01, 0.1, BATCH), 10 ** rng.uniform(-3, 0, (2, BATCH))
    s = solved(
        lambda w, m, a, gl, gr, tl, tr: TwoLevelPump(w, m, a, gl, gr, cs.BosonBath(tl), cs.BosonBath(tr)),
        np.column_stack([gap, fast, amplitude, *rates, hot, cold]),
    )
    assert np.all(np.asarray(s.status)[1:] == 0)
    high, low = gap + fast, gap - fast
    n_hot, n_cold, (left, right) = bose(high / hot), bose(low / cold), rates * (amplitude / (2 * fast)) ** 2
    up, down = left * n_hot + right * n_cold, left * (n_hot + 1) + right * (n_cold + 1)
    current = (right * n_cold * down - right * (n_cold + 1) * up) / (up + down)
    for found, exact in (
        (s.heat["right"], low * current),
        (s.heat["left"], -high * current),
        (s.work["modulation"], 2 * fast * current),
    ):
        assert np.allclose(found[1:], exact[1:], rtol=1e-11, atol=0)
    pump = fast > critical
    assert np.all(np.asarray(s.regime)[1:] == np.where(pump, "refrigerator", "engine")[1:])
    assert np.allclose(np.asarray(s.cop)[pump], (low / (2 * fast))[pump], rtol=1e-12, atol=0)
    engine = ~pump & (np.arange(BATCH) > 0)
    assert np.allclose(np.asarray(s.efficiency)[engine], (2 * fast / high)[engine], rtol=1e-12, atol=0)
    assert abs(s.heat["right"][0]) < 1e-14 * np.max(np.abs(low * current))


def test_refrigerator_is_tightly_coupled_and_reversible_where_it_stops():
    """COP = ω_c/ω_h; at the reversible COP the current vanishes; closed form of the ring 0 → 1 → 2 → 0."""
    rng = np.random.default_rng(2)
    cold, room, hot = np.full(BATCH, 1.0), rng.uniform(1.05, 1.5, BATCH), rng.uniform(2, 6, BATCH)
    reversible = (1 / room - 1 / hot) / (1 / cold - 1 / room)
    share = rng.uniform(0.2, 1.5, BATCH)
    share[0] = 1.0
    high = rng.uniform(0.5, 3, BATCH)
    low = high * reversible * share
    rates = 10 ** rng.uniform(-1, 1, (3, BATCH))
    s = solved(
        lambda c, h, gc, gh, gr, tc, tr, th: AbsorptionRefrigerator(
            c, h, gc, gh, gr, cs.BosonBath(tc), cs.BosonBath(tr), cs.BosonBath(th)
        ),
        np.column_stack([low, high, *rates, cold, room, hot]),
    )
    assert np.all(np.asarray(s.status) == 0)
    n_c, n_h, n_r = bose(low / cold), bose(high / hot), bose((low + high) / room)
    gc, gh, gr = rates
    current = cycle_current([gc * n_c, gh * n_h, gr * (n_r + 1)], [gc * (n_c + 1), gh * (n_h + 1), gr * n_r])
    size = np.max(np.abs(low * current))
    assert np.all(np.abs(s.heat["cold"] - low * current) < 1e-13 * size + s.error.heat["cold"])
    assert abs(s.heat["cold"][0]) < 1e-14 * size
    cooling = share < 1
    cooling[0] = False
    assert np.all(np.asarray(s.regime)[cooling] == "absorption refrigerator")
    assert np.allclose(np.asarray(s.cop)[cooling], (low / high)[cooling], rtol=1e-12, atol=0)
    assert np.all(np.asarray(s.cop)[cooling] < reversible[cooling])


def test_motor_against_fisher_and_kolomeisky():
    """Steps per time of two states, efficiency Fd/Δμ, and the stall at Fd = Δμ."""
    rng = np.random.default_rng(3)
    energy, temperature = rng.normal(0, 2, BATCH), rng.uniform(0.5, 2, BATCH)
    potential, step = rng.uniform(2, 20, BATCH), rng.uniform(0.5, 2, BATCH)
    share = rng.uniform(0.1, 1.4, BATCH)
    share[0] = 1.0
    force, substep, split = share * potential / step, rng.uniform(0, 1, BATCH), rng.uniform(0, 1, BATCH)
    bind, go = 10 ** rng.uniform(-1, 1, (2, BATCH))
    s = solved(
        lambda e, f, d, b, k, g, a, t, mu: MolecularMotor(e, f, d, b, k, g, a, cs.ParticleBath(t, mu, species="fuel")),
        np.column_stack([energy, force, step, substep, bind, go, split, temperature, potential]),
    )
    assert np.all(np.asarray(s.status) == 0)
    work = force * step
    first = (energy + substep * work - potential) / temperature
    second = (-energy + (1 - substep) * work) / temperature
    u0, w0 = bind * np.exp(-split * first), bind * np.exp((1 - split) * first)
    u1, w1 = go * np.exp(-split * second), go * np.exp((1 - split) * second)
    velocity = (u0 * u1 - w0 * w1) / (u0 + u1 + w0 + w1)
    allowed = 1e-11 * np.abs(velocity) + 1e-15 * (u0 + w0)
    assert np.all(np.abs(s.particles["fuel"] - velocity) < allowed)
    assert np.all(np.abs(s.work["load"] + work * velocity) < allowed * work)
    engine = share < 1
    engine[0] = False
    assert np.all(np.asarray(s.regime)[engine] == "chemical engine")
    assert np.all(np.asarray(s.regime)[share > 1] == "chemical pump")
    assert np.allclose(np.asarray(s.efficiency)[engine], share[engine], rtol=1e-10, atol=0)


def test_otto_cycle_against_its_closed_form():
    """Work per cycle and efficiency 1 − ω_c/ω_h; no work at Carnot's; valves as closed as they must be."""
    rng = np.random.default_rng(4)
    ratio, high = rng.uniform(0.2, 0.95, BATCH), rng.uniform(0.5, 4, BATCH)
    hot, cold = rng.uniform(1.5, 4, BATCH), rng.uniform(0.3, 1, BATCH)
    ratio[0] = cold[0] / hot[0]
    period, share = 10 ** rng.uniform(-0.5, 2, BATCH), rng.uniform(0.2, 0.8, BATCH)
    rates = rng.uniform(0.3, 2, (2, BATCH))
    low = ratio * high

    def exact(share):
        n_h, n_c = 1 / (1 + np.exp(high / hot)), 1 / (1 + np.exp(low / cold))
        x, y = np.exp(-rates[0] * period * share), np.exp(-rates[1] * period * (1 - share))
        moved = (n_h - n_c) * (1 - x) * (1 - y) / (1 - x * y) / period
        return np.stack([high * moved, -low * moved, -(high - low) * moved])

    def engine_of(_, point):
        h, c, gh, gc, tau, th, tc, share = point
        return OttoEngine(h, c, gh, gc, tau, share, cs.HeatBath(th), cs.HeatBath(tc))

    columns = jnp.asarray(np.column_stack([high, low, *rates, period, hot, cold]))

    def flows(share):
        # The first way has the derivatives of any: they are taken at the state, however that was found.
        points = jnp.concatenate([columns, share[:, None]], axis=1)
        s, undecided = solve_points.attempts[0].__wrapped__(engine_of, None, points, jnp.asarray(1e-8))
        return jnp.stack([s.heat["hot"], s.heat["cold"], s.work["piston"]]), (s, undecided)

    @jax.jit
    def with_slopes(share):
        return jax.jvp(flows, (share,), (jnp.ones(BATCH),), has_aux=True)[1:]

    slopes, (s, undecided) = with_slopes(jnp.asarray(share))
    assert not np.any(np.asarray(undecided)[1:])  # at Carnot's ratio nothing flows
    found = np.stack([s.heat["hot"], s.heat["cold"], s.work["piston"]])
    size = np.max(np.abs(exact(share)))
    assert np.max(np.abs(found - exact(share))) < 1e-10 * size
    # How they change with the share of the hot stroke, whose border moves.
    step = 1e-4
    difference = (exact(share + step) - exact(share - step)) / (2 * step)
    assert np.max(np.abs(slopes - difference)) < 1e-6 * np.max(np.abs(difference))
    assert np.all(np.asarray(s.status)[1:] == 0)
    engine = np.asarray(ratio > cold / hot) & (np.arange(BATCH) > 0)
    assert np.all(np.asarray(s.regime)[engine] == "engine")
    assert np.allclose(np.asarray(s.efficiency)[engine], 1 - ratio[engine], rtol=1e-9, atol=0)
