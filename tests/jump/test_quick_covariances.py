"""Covariances by plain elimination: against multiple precision within the reported errors, and when it decides."""

import jax.numpy as jnp
import mpmath as mp
import numpy as np

import coldspot as cs
from coldspot.beside import Together, plans_of, ways
from coldspot.compiler import LIGHT
from coldspot.jump.gth import populate
from coldspot.pytrees import compiled

NUMBER = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 3.0])
STATES = len(NUMBER)
FILLED = [(i, j) for i in range(STATES) for j in range(STATES) if NUMBER[i] < NUMBER[j]]
LEVEL = [(1, 2), (3, 4)]
TARGETS = [("heat", "a"), ("particles", "b"), ("entropy", "c"), ("heat", "c")]
EACH = 7


def build(_, p):
    """Two leads and phonons, which join all states."""
    leads = {name: cs.ElectronBath(p["temperature"][k], p["potential"][k]) for k, name in enumerate("ab")}
    own = [cs.Channel(name, *zip(*FILLED, strict=True), cs.Tunnelling(p["gamma"][k])) for k, name in enumerate("ab")]
    return cs.JumpNetwork(
        energies=p["energies"],
        occupations=NUMBER,
        baths=leads | {"c": cs.HeatBath(p["temperature"][2])},
        channels=[*own, cs.Channel("c", *zip(*LEVEL, strict=True), cs.Glauber(p["rate"]))],
    )


PLANS, TIERS, _ = ways(plans_of([cs.Counting(TARGETS)]))[0]
attempt = compiled(lambda columns, tolerance: TIERS.attempts[0](build, None, columns, tolerance), **LIGHT)
together = compiled(lambda columns, tolerance: Together(PLANS)(build, None, columns, tolerance), **LIGHT)


def draw(kind, rng):
    """Numbers of `EACH` points; rates over e^±`span`."""
    span = {"far apart": 20.0, "ordinary": 2.0}.get(kind, 6.0)
    c = {
        "energies": rng.normal(0, 1, (EACH, STATES)),
        "temperature": rng.uniform(0.3, 3, (EACH, 3)),
        "potential": rng.uniform(-1, 1, (EACH, 2)),
        "gamma": np.exp(rng.uniform(-span, span, (EACH, 2, len(FILLED)))),
        "rate": np.exp(rng.uniform(-span, span, (EACH, 2))),
    }
    if kind == "near equilibrium":
        c["temperature"][:], c["potential"][:] = 1.0, [0.0, 1e-9]
    elif kind == "fast loops":
        c["gamma"] *= np.where(rng.random(c["gamma"].shape) < 0.1, 1e4, 1.0)
    elif kind == "closed":
        c["gamma"] *= rng.random(c["gamma"].shape) < 0.7
    elif kind == "one bath":
        c["gamma"][:, 1], c["rate"][:] = 0.0, 0.0
    elif kind == "far from zero":
        # Potentials of three particles at once are no floating-point numbers.
        c["energies"] += 1e6 * NUMBER
        c["potential"] += 1e6
    elif kind == "flat":
        c["energies"][:] = 0.0
    elif kind == "frozen":
        c["energies"] *= 400
    elif kind == "halves that hardly meet":
        c["gamma"][..., [(i < 3) != (j < 3) for i, j in FILLED]] *= 1e-9
    return c


def exactly(c, k):
    """Covariances by the response of populations, whose equations are those of the transposed generator."""
    potential, temperature = ([mp.mpf(float(x)) for x in c[name][k]] for name in ("potential", "temperature"))
    energy, edges = [mp.mpf(float(x)) for x in c["energies"][k]], []
    moves = [(b, m, *move, 1, c["gamma"][k][b]) for b in range(2) for m, move in enumerate(FILLED)]
    moves += [(2, m, *move, 2, c["rate"][k]) for m, move in enumerate(LEVEL)]
    for bath, m, i, j, factor, scales in moves:
        gained = 0 if bath == 2 else int(NUMBER[j] - NUMBER[i])
        heat = energy[j] - energy[i] - (gained * potential[bath] if gained else 0)
        x, scale = heat / temperature[bath], factor * mp.mpf(float(scales[m]))
        amounts = [
            heat if bath == 0 else 0,
            gained if bath == 1 else 0,
            x if bath == 2 else 0,
            heat if bath == 2 else 0,
        ]
        edges += [(j, i, scale / (1 + mp.exp(x)), amounts), (i, j, scale / (1 + mp.exp(-x)), [-a for a in amounts])]
    generator = mp.zeros(STATES)
    for to, start, rate, _ in edges:
        generator[to, start] += rate
        generator[start, start] -= rate
    for j in range(STATES):
        generator[STATES - 1, j] = 1
    inverse = mp.inverse(generator)
    p, targets = inverse[:, STATES - 1], range(len(TARGETS))
    right, gains = mp.zeros(STATES, len(TARGETS)), mp.zeros(STATES, len(TARGETS))
    for a in targets:
        for to, start, rate, amounts in edges:
            gains[start, a] += rate * amounts[a]
            right[to, a] -= rate * p[start] * amounts[a]
        mean = sum(gains[j, a] * p[j] for j in range(STATES))
        for j in range(STATES):
            right[j, a] += mean * p[j]
        right[STATES - 1, a] = 0
    mixed = gains.T * (inverse * right)

    def one(a, b):
        return sum(rate * p[start] * x[a] * x[b] for _, start, rate, x in edges) + mixed[a, b] + mixed[b, a]

    return [[one(a, b) for b in targets] for a in targets]


KINDS = {
    "ordinary": EACH,
    "far apart": 1,
    "near equilibrium": EACH - 1,
    "fast loops": 1,
    "closed": EACH - 2,
    "one bath": 0,
    "far from zero": EACH - 2,
    "flat": EACH,
    "frozen": 0,
    "halves that hardly meet": 0,
}
"""Kinds of networks, and how many points of each are at least decided."""
NEVER = ("one bath", "frozen")
"""Those of which none may be: all that is left of some covariances is rounding, or numbers leave their range."""


def test_covariances_of_random_networks_are_within_their_errors():
    rng = np.random.default_rng(5)
    drawn = [draw(kind, rng) for kind in KINDS]
    c = {name: np.concatenate([part[name] for part in drawn]) for name in drawn[0]}
    arrays = {name: jnp.asarray(x) for name, x in c.items()}
    # By themselves, and together with the states.
    for (found,), undecided in (attempt(arrays, jnp.asarray(1e-8)), together(arrays, jnp.asarray(1e-8))[1]):
        values, errors, decided = np.asarray(found.values), np.asarray(found.errors), ~np.asarray(undecided)
        for kind, some in zip(KINDS, np.split(decided, len(KINDS)), strict=True):
            assert some.sum() >= KINDS[kind], kind
            assert kind not in NEVER or not some.any(), kind
        assert np.all(np.asarray(found.status)[decided] == 0)
        with mp.workdps(80):
            for k in np.flatnonzero(decided):
                exact = exactly(c, k)
                off = np.array(
                    [[float(abs(mp.mpf(values[k, a, b]) - x)) for b, x in enumerate(r)] for a, r in enumerate(exact)]
                )
                assert np.all(off <= errors[k]), (k, off / errors[k])
                root = np.sqrt(np.array([float(exact[a][a]) for a in range(len(TARGETS))]))
                assert np.all(errors[k] <= 1e-10 * np.outer(root, root)), "errors are larger than what decides"


def test_a_sweep_that_counts_has_the_states_and_covariances_of_other_ways():
    """By one elimination, beside those of a sweep that does not count, and of the sure way point by point."""

    leads = {"hot": cs.ElectronBath(2.0, 0.3), "cool": cs.ElectronBath(1.0, -0.2)}

    def pumped(gap, work):
        return cs.JumpNetwork(
            energies=[0.0, gap, 2.0, 0.4],
            baths={"field": cs.WorkReservoir(), "cold": cs.HeatBath(1.0), **leads},
            occupations=[0, 1, 1, 0],
            channels=[
                cs.Channel("hot", [0, 0], [1, 2], cs.Tunnelling([0.3, 0.7])),
                cs.Channel("cold", [1, 3], [2, 0], cs.Glauber([0.5, 1.0])),
                cs.Channel("field", 1, 2, cs.Glauber(work)),
                cs.Channel("cool", [3, 0], [1, 1], cs.Tunnelling(0.2)),
            ],
        )

    targets = [("work", "field"), ("heat", "hot"), ("entropy", "cold"), ("particles", "hot"), ("particles", "cold")]
    grid = {"gap": [-0.5, 1.3], "work": [0.3, 0.8]}
    counted, plain = cs.sweep(pumped, grid, also=[cs.Counting(targets)]), cs.sweep(pumped, grid)
    assert not np.any(counted.status)
    for name in ("heat", "particles", "work"):
        assert np.all(np.abs(counted[name] - plain[name]) <= counted[f"{name}_error"] + plain[f"{name}_error"]), name
    for k, gap in enumerate(grid["gap"]):
        for m, work in enumerate(grid["work"]):
            sure = cs.counting(pumped(gap, work), targets).cumulants(2)
            for (quantity, of), values, errors in zip(targets, sure.values, sure.errors, strict=True):
                name = f"covariance_{quantity}_{of}_{quantity}_{of}"
                off = abs(float(counted[name][k, m]) - float(values[1]))
                assert off <= float(counted[f"{name}_error"][k, m] + errors[1]), name


def test_noise_in_equilibrium_is_twice_the_response():
    """Johnson–Nyquist: S = L + Lᵀ, both asked along one sweep of a network with more than a pair of states."""

    def three(gap):
        return cs.JumpNetwork(
            energies=[0.0, gap, 2.0],
            baths={"one": cs.HeatBath(1.3), "other": cs.HeatBath(1.3)},
            channels=[
                cs.Channel("one", [0, 1], [1, 2], cs.Glauber([0.3, 0.4])),
                cs.Channel("other", [0, 0], [1, 2], cs.Glauber([0.5, 0.6])),
            ],
        )

    noise = cs.Counting([("heat", "one"), ("heat", "other")])
    grid = {"gap": [0.5, 0.9, 1.5]}
    alone, both = (cs.sweep(three, grid, also=also) for also in ([cs.linear_response], [cs.linear_response, noise]))
    np.testing.assert_array_equal(alone.onsager, both.onsager)
    for a in ("one", "other"):
        for b in ("one", "other"):
            name = f"covariance_heat_{a}_heat_{b}"
            if name in both:
                onsager = both.onsager.sel(flux=f"heat {a}", force=f"heat {b}")
                np.testing.assert_allclose(both[name], 2 * onsager, rtol=1e-12, err_msg=name)


def test_a_tolerance_that_it_cannot_meet_is_left_to_others():
    c = draw("ordinary", np.random.default_rng(0))
    c = {name: jnp.asarray(np.resize(x, (len(KINDS) * EACH, *x.shape[1:]))) for name, x in c.items()}
    assert np.all(attempt(c, jnp.asarray(1e-15))[1])
    # What is refused has a status, which no other way would change.
    (found,), undecided = attempt(c | {"energies": c["energies"] * jnp.nan}, jnp.asarray(1e-8))
    assert np.all(np.asarray(found.status) == int(cs.Status.INVALID))
    assert not np.any(undecided)
    assert np.all(np.isnan(found.values))


def test_what_is_gathered_on_the_way_to_the_first_state():
    """Of so many states that some go by halves, and the last ones without."""
    states, rng = 11, np.random.default_rng(11)
    rates, gains = rng.uniform(0.1, 2, (states, states, 1)), rng.uniform(0, 1, (3, states, 1))
    rates[range(states), range(states)] = 0.0
    p, values = compiled(lambda *x: populate(*x, gathered=2), **LIGHT)(jnp.asarray(rates), jnp.asarray(gains))
    p, values = np.asarray(p), np.asarray(values)
    w = rates[..., 0]
    generator = w - np.diag(w.sum(axis=0))
    expected = np.linalg.solve(-generator[1:, 1:].T, gains[1:, 1:, 0].T).T
    np.testing.assert_allclose(values[1:, 1:, 0], expected, rtol=1e-12)
    # The first one is against its mean, as without them.
    left = generator.T @ values[0, :, 0] + gains[0, :, 0]
    np.testing.assert_allclose(left, np.full(states, p[:, 0] @ gains[0, :, 0]), rtol=1e-12)
