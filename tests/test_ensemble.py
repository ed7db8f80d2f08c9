"""Trajectories of oscillator networks: random numbers, the scheme's exact averages, sampled ones, errors, failures.

Second routes: published answers of the generator; SciPy's Lyapunov solvers and the closed form for linear pairs; an
integrated differential equation without noise; quadrature in equilibrium; a loop in NumPy with another scheme; and
heat and work computed again from recorded paths.
"""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, linalg, special, stats

import coldspot as cs
from coldspot._checks import as_float
from coldspot.numerics import random_numbers as noise
from coldspot.oscillators import ensemble
from coldspot.oscillators import integrator as scheme

OMEGA = 2 * math.pi / 3


def pair(
    potential=None, *, temperatures=(1.0, 0.5), amplitude=1.0, phase=0.3, frictions=(1.0, 1.0), springs=(2.0, 3.0)
):
    """The paper's pair of oscillators; without driving if the amplitude is None."""
    k, c = springs
    drives = {}
    if amplitude is not None:
        drives = {
            "forces": {"left": (0, cs.Cosine(amplitude)), "right": (1, cs.Cosine(amplitude, phase))},
            "frequency": OMEGA,
        }
    return cs.OscillatorNetwork(
        masses=[1.0, 1.0],
        springs=[[k + c, -c], [-c, k + c]],
        frictions=frictions,
        baths={"left": cs.HeatBath(temperatures[0]), "right": cs.HeatBath(temperatures[1])},
        sites={"left": 0, "right": 1},
        potential=potential,
        **drives,
    )


def single(temperature=1.0, spring=1.0, friction=0.5, **shape):
    return cs.OscillatorNetwork(
        masses=[1.0],
        springs=as_float(spring)[None, None],
        frictions=as_float(friction)[None],
        baths={"bath": cs.HeatBath(temperature)},
        sites={"bath": 0},
        potential=Shape(**{name: as_float(value) for name, value in shape.items()}),
    )


class Shape(eqx.Module):
    """Potentials of one coordinate, all in one, so that they are compiled once."""

    quartic: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    downhill: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    edge: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    trap: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))

    def __call__(self, x):
        (x,) = x
        # The logarithm ends at 2, its slope does not; the trap lies behind a barrier of some 4 temperatures.
        edge = self.edge * jnp.log(jnp.where(self.edge != 0, 2.0 - x, 1.0))
        return self.quartic * x**4 / 4 - self.downhill * x**3 / 3 + edge - self.trap * jax.nn.sigmoid(4 * (x - 4))


class Quartic(eqx.Module):
    strength: jax.Array

    def __call__(self, x):
        return self.strength * (jnp.sum(x**4) + jnp.sum((x[1:] - x[:-1]) ** 4)) / 4


# --------------------------------------------------------------------------- random numbers


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_generator_gives_the_published_words(counter, key, words):
    """Known answers of Philox4x32-10 that its authors publish."""
    given = tuple(np.uint64(c) for c in counter), tuple(np.uint64(k) for k in key)
    assert tuple(int(w) for w in noise.philox(*given)) == words


def test_box_muller_is_accurate():
    words = np.random.default_rng(0).integers(0, 2**64, 200_000, dtype=np.uint64)
    words[:4] = 0, 2**64 - 1, 2**24 - 1, (2**40 - 1) << 24
    first, second = (np.asarray(z) for z in noise.box_muller(jnp.asarray(words)))
    uniform = ((words >> np.uint64(24)).astype(float) + 0.5) / 2**40
    radius = np.sqrt(-2 * np.log(uniform))
    assert np.max(np.abs(np.hypot(first, second) / radius - 1)) < 1e-11
    # The angle: an eighth of the circle from each side of each axis, as bits 0–21 say.
    angle = ((words & np.uint64(2**22 - 1)).astype(float) + 0.5) / 2**22 - 0.5
    straight = np.where((words >> np.uint64(22)) & np.uint64(1), np.arctan2(first, second), np.arctan2(first, second))
    swapped = np.arctan2(second, first)
    sign = np.where((words >> np.uint64(23)) & np.uint64(1), math.pi, 0.0)
    found = np.where((words >> np.uint64(22)) & np.uint64(1), swapped, straight)
    turns = (found - sign - angle * math.pi / 2) / (2 * math.pi)
    assert np.max(np.abs(turns - np.round(turns))) < 1e-11


@pytest.fixture(scope="module")
def sample():
    """Half a million numbers: (coordinate, block, step, lane)."""
    draw = jax.jit(lambda block: noise.normals(jnp.array([7, 11], jnp.uint32), 0, jnp.arange(4096), block, 8))
    return np.stack([np.stack(draw(block)) for block in range(4)], axis=1)


def test_normal_numbers_are_normal(sample):
    z = sample.ravel()
    n = z.size
    for order in range(1, 9):
        mean = 0.0 if order % 2 else special.factorial2(order - 1)
        square = special.factorial2(2 * order - 1)
        assert abs(np.mean(z**order) - mean) < 4 * math.sqrt((square - mean**2) / n), order
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert stats.kstest(stats.norm.cdf(z) * 2**16 % 1, "uniform").pvalue > 1e-3
    for far in (3.0, 4.0, 4.8):
        expected = n * 2 * stats.norm.sf(far)
        assert abs(np.sum(np.abs(z) > far) - expected) < 4 * math.sqrt(expected), far


def test_neighbouring_counters_are_independent(sample):
    """No correlation of values, squares or signs of tails between coordinates, steps, blocks and lanes."""
    for shift in itertools.product((0, 1), (0, 1), (0, 1, 3), (0, 1, 2, 64)):
        if not any(shift):
            continue
        one = sample[tuple(slice(s, None) for s in shift)]
        other = sample[tuple(slice(None, size - s) for s, size in zip(shift, sample.shape, strict=True))]
        for f in (lambda z: z, lambda z: (z**2 - 1) / math.sqrt(2), lambda z: z**3 / math.sqrt(15)):
            product = f(one) * f(other)
            assert abs(product.mean()) < 4.5 * product.std() / math.sqrt(product.size), shift


def test_streams_keys_and_blocks_differ():
    lanes = jnp.arange(8)
    draws = [
        np.asarray(noise.normals(jnp.array(key, jnp.uint32), stream, lanes, block, 1)).ravel()
        for key, stream, block in itertools.product(([0, 0], [0, 1], [1, 0]), (0, 1), (0, 1))
    ]
    assert np.unique(np.concatenate(draws)).size == sum(d.size for d in draws)


# --------------------------------------------------------------------------- the scheme on linear networks


def closed_form(temperatures, phase):
    """Heats and works of the pair with k=2, k_c=3, m=γ=f_0=1 (the paper's eq. 7), and ⟨x²⟩, ⟨v²⟩ by SciPy."""
    z = 5 - OMEGA**2 - 1j * OMEGA
    a, b, d = z / (z**2 - 9), 3 / (z**2 - 9), 6 * OMEGA**2 / abs(z**2 - 9) ** 2
    c = 9 * (temperatures[0] - temperatures[1]) / (2 * (9 + 5))
    sides = np.array([1.0, -1.0])
    heats = -OMEGA / 2 * (a.imag + b.imag * math.cos(phase) + sides * d * math.sin(phase)) + sides * c
    works = OMEGA / 2 * (a.imag + b.imag * math.cos(phase) - sides * b.real * math.sin(phase))
    springs, one, zero = np.array([[5.0, -3], [-3, 5]]), np.eye(2), np.zeros((2, 2))
    drift = np.block([[zero, one], [-springs, -one]])
    covariance = linalg.solve_continuous_lyapunov(drift, -np.diag([0, 0, *(2 * np.array(temperatures))]))
    wave = np.linalg.solve(springs - OMEGA**2 * one - 1j * OMEGA * one, [1, np.exp(-1j * phase)])
    moved = np.diag(covariance) + np.concatenate([abs(wave) ** 2, OMEGA**2 * abs(wave) ** 2]) / 2
    return np.concatenate([heats, works, moved])


def by_hand(network, step):
    """The scheme's averages from the textbook order of BAOAB, with SciPy: half kick, half drift, bath, and back."""
    n, m = network.size, np.asarray(network.masses)
    h, one, zero = step, np.eye(n), np.zeros((n, n))
    c = np.exp(-np.asarray(network.frictions) * h / m)
    temperature = np.array([b.temperature for b in network.baths.values()])[list(network.bath_of)]
    kick = np.block([[one, zero], [-h / 2 * np.asarray(network.springs) / m[:, None], one]])
    drift = np.block([[one, h / 2 * one], [zero, one]])
    bath = np.diag([*np.ones(n), *c])
    strength = temperature / m * (1 - c**2)
    matrix = kick @ drift @ bath @ drift @ kick
    bring = kick @ drift
    covariance = linalg.solve_discrete_lyapunov(matrix, bring @ np.diag([*np.zeros(n), *strength]) @ bring.T)
    force = np.zeros(n, complex)
    for i, d in zip(network.driven, network.drives.values(), strict=True):
        force[i] += complex(d.amplitude) * np.exp(1j * float(d.phase))
    push = np.concatenate([np.zeros(n), h / 2 * force / m])
    turn = np.exp(1j * float(network.frequency) * h)
    wave = np.linalg.solve(turn * np.eye(2 * n) - matrix, kick @ drift @ bath @ drift @ push + turn * push)
    # Before the bath's part; and what comes out of it.
    before = drift @ kick
    u2 = np.diag(before @ covariance @ before.T)[n:] + abs((before @ wave + drift @ push)[n:]) ** 2 / 2
    w2 = c**2 * u2 + strength
    speed = wave[n:]  # the textbook's velocity stands between the two half kicks
    works = [
        (np.conj(complex(d.amplitude) * np.exp(1j * float(d.phase))) * speed[i]).real / 2
        for i, d in zip(network.driven, network.drives.values(), strict=True)
    ]
    squares = np.diag(covariance)[:n] + abs(wave[:n]) ** 2 / 2
    return np.concatenate([m / 2 * (w2 - u2) / h, works, squares, (u2 + w2) / 2])


@eqx.filter_jit
def longest(network):
    return scheme.longest_step(network.masses, network.springs)


def flat(found):
    return np.concatenate([found.heats, found.works, found.squares, found.speeds])


def exact(network, step):
    return _exact(network, jnp.asarray(step))


_exact = eqx.filter_jit(lambda network, step: scheme.exact(ensemble.model(network), step))


def chain():
    """Three masses; the one in the middle has no bath."""
    return cs.OscillatorNetwork(
        masses=[1.0, 0.5, 2.0],
        springs=cs.chain_springs(3, 1.5, 0.7),
        frictions=[0.4, 0.0, 1.3],
        baths={"cold": cs.HeatBath(0.3), "hot": cs.HeatBath(1.1)},
        sites={"cold": 0, "hot": 2},
        forces={"push": (1, cs.Cosine(0.8, 0.5, mean=0.6)), "pull": (2, cs.Cosine(-0.4))},
        frequency=0.9,
    )


def test_exact_averages_of_the_scheme():
    for network, step in ((pair(), 0.05), (pair(), 0.3), (chain(), 0.2)):
        found = by_hand(network, step)
        if network.size == 3:  # the constant force displaces, it does no work
            found[5:8] += np.linalg.solve(np.asarray(network.springs), [0, 0.6, 0]) ** 2
        assert np.max(np.abs(flat(exact(network, step)) - found)) < 1e-12


def test_errors_are_of_second_order():
    network, reference = pair(), closed_form((1.0, 0.5), 0.3)
    errors = np.abs(np.stack([flat(exact(network, h)) for h in (0.1, 0.05, 0.025, 0.0125)]) - reference)
    orders = np.log2(errors[:-1] / errors[1:])
    assert np.all(np.abs(orders - 2) < 0.1), orders


def test_equilibrium_has_no_bias():
    """In a harmonic well at one temperature: no heat, ⟨x²⟩ = TΦ⁻¹, ⟨v²⟩ = T/m, at any step."""
    found = exact(pair(temperatures=(0.7, 0.7), amplitude=None), 0.5)
    assert np.max(np.abs(found.heats)) < 1e-14
    assert np.allclose(found.squares, 0.7 * np.diag(np.linalg.inv([[5, -3], [-3, 5]])), rtol=1e-13)
    assert np.allclose(found.speeds, 0.7, rtol=1e-13)


def random_pairs(count):
    u = np.random.default_rng(5).uniform
    for _ in range(count):
        yield pair(
            temperatures=10 ** u(-1, 1, 2),
            amplitude=10 ** u(-1, 1),
            phase=u(0, 6),
            frictions=10 ** u(-1.5, 1, 2),
            springs=10 ** u(-1, 1, 2),
        )


def test_default_time_step_has_the_bias_that_was_asked_for():
    choose = eqx.filter_jit(lambda network, bias: ensemble.prepare(network, bias, 1.0).plan)
    for network, bias in zip(random_pairs(40), itertools.cycle([1e-2, 1e-3, 1e-5]), strict=False):
        plan = choose(network, jnp.asarray(bias))
        truth = cs.steady_state(network)
        largest = max(np.max(np.abs(truth.heat.array)), np.max(np.abs(truth.work.array)))
        found, longer = exact(network, plan.step), exact(network, plan.step * 2)
        change = max(np.max(np.abs(found.heats - truth.heat.array)), np.max(np.abs(found.works - truth.work.array)))
        assert change < 1.1 * bias * largest
        # Not needlessly short: two steps of the row longer would be too long, for some reason.
        change = max(np.max(np.abs(longer.heats - truth.heat.array)), np.max(np.abs(longer.works - truth.work.array)))
        limit = float(longest(network)) / 10
        assert change > bias * largest or 2 * float(plan.step) > 0.7 * limit or int(plan.period) <= 32


def test_longest_step():
    """Below it the step contracts, above it grows, whatever the friction; it is 2 over the highest frequency."""
    for network in random_pairs(10):
        limit = float(longest(network))
        assert abs(limit * math.sqrt(np.linalg.eigvalsh(network.springs)[-1]) / 2 - 1) < 3e-3
        assert np.all(np.isfinite(exact(network, 0.995 * limit).heats))
        assert not np.any(np.isfinite(exact(network, 1.003 * limit).heats))


# --------------------------------------------------------------------------- sampled averages of linear networks


def truth_of(network, step):
    """The scheme's averages in the order of a Trajectories' ledger: heats per bath, works, ⟨x²⟩, ⟨v²⟩."""
    found = exact(network, step)
    heats = network.members @ np.asarray(found.heats)
    return np.concatenate([heats, found.works, found.squares, found.speeds])


def averages(t):
    s = t.solution
    means = np.concatenate([s.heat.array, s.work.array, s.observables.array])
    return means, np.concatenate([s.error.heats, s.error.works, s.observable_errors.array])


@pytest.mark.parametrize("network", [pair(), chain()], ids=["pair", "chain"])
def test_trajectories_agree_with_the_scheme(network):
    t = cs.trajectories(network, jax.random.key(3), n=2000, time=100.0, time_step=0.1)
    step = float(t.solution.statistics["time_step"])
    assert step <= 0.1
    means, errors = averages(t)
    truth = truth_of(network, step)
    assert np.all(np.abs(means - truth) < 3 * errors), (means - truth) / errors
    assert np.all(errors < 0.02 * np.max(np.abs(truth)))
    # What is missing in the balance is the error of kicks and drifts: known, and of much smaller sampling error.
    baths = len(network.baths)
    missing = float(t.solution.first_law_residual)
    expected = np.sum(truth[: baths + len(network.drives)])
    each = np.concatenate([t.heats, t.works], axis=1).sum(axis=1) - t.storages
    noise = each.std() / math.sqrt(each.size)
    assert abs(each.mean() - missing) < 1e-14
    assert abs(missing - expected) < 3 * noise
    assert noise < 0.3 * np.max(errors)


def test_standard_errors_are_honest():
    """Over many keys, deviations from the exact averages in units of the standard error have variance one."""
    network = pair()
    z = []
    for key in range(60):
        t = cs.trajectories(network, jax.random.key(100 + key), n=64, time=12.0, time_step=0.1)
        means, errors = averages(t)
        z.append((means - truth_of(network, t.solution.statistics["time_step"])) / errors)
    z = np.array(z)
    # Student's t with 63 degrees of freedom: variance 63/61.
    low, high = stats.chi2.ppf([1e-3, 1 - 1e-3], len(z)) / len(z) * 63 / 61
    variances = np.mean(z**2, axis=0)
    assert np.all((low < variances) & (variances < high)), variances
    assert abs(np.mean(z**2) - 63 / 61) < 4 * np.std(np.mean(z**2, axis=1)) / math.sqrt(len(z))


def test_results_do_not_depend_on_chunks():
    network, key = pair(), jax.random.key(5)
    few, many = (cs.trajectories(network, key, n=n, time=6.0, time_step=0.1) for n in (40, 3000))
    assert np.allclose(few.heats, many.heats[:40], rtol=0, atol=1e-13)
    assert np.allclose(few.works, many.works[:40], rtol=0, atol=1e-13)
    other = cs.trajectories(network, jax.random.key(6), n=40, time=6.0, time_step=0.1)
    assert not np.any(few.heats == other.heats)


def test_heat_and_work_from_recorded_paths():
    """The books of single trajectories, once more from x(t) and v(t) and the equation of motion alone."""
    network = pair(Quartic(as_float(0.4)))
    t = cs.trajectories(network, jax.random.key(7), n=16, time=9.0, keep=3)
    h, steps = float(t.solution.statistics["time_step"]), t.times.size
    x, v = np.asarray(t.positions), np.asarray(t.velocities)
    assert x.shape == (3, steps, 2)
    assert np.allclose(t.times, h * np.arange(steps))
    transient = float(t.solution.statistics["steps"]) - steps + 1
    phase = OMEGA * h * (transient + np.arange(steps - 1))
    force = np.stack([np.cos(phase), np.cos(phase + 0.3)], axis=-1)
    y = x[:, :-1]
    cubes = y**3 + (y - y[..., ::-1]) ** 3
    u = v[:, :-1] + h * (force - y @ np.array([[5.0, -3], [-3, 5]]) - 0.4 * cubes)
    assert np.allclose(x[:, 1:], y + h / 2 * (u + v[:, 1:]), rtol=0, atol=1e-12)
    heats = np.sum((v[:, 1:] ** 2 - u**2) / 2, axis=1)
    works = np.sum(h * force * (v[:, :-1] + u) / 2, axis=1)
    potential = np.sum(x * (x @ np.array([[5.0, -3], [-3, 5]])), -1) / 2
    potential += 0.4 * (np.sum(x**4, -1) + (x[..., 0] - x[..., 1]) ** 4) / 4
    change = np.diff((np.sum(v**2, -1) / 2 + potential)[:, [0, -1]], axis=1)[:, 0]
    duration = h * (steps - 1)
    for own, recorded in ((heats, t.heats), (works, t.works), (change, t.storages)):
        assert np.allclose(own / duration, recorded[:3], rtol=0, atol=1e-12)
    half = cs.trajectories(network, jax.random.key(7), n=16, time=9.0, keep=3, stride=4)
    assert np.array_equal(half.positions, t.positions[:, ::4])


# --------------------------------------------------------------------------- nonlinear networks

Pair = cs.machines.NonlinearOscillatorPair
OFF = {"amplitude": 0.0}


def within(found, truth, error, many=3.0):
    z = (np.asarray(found) - np.asarray(truth)) / np.asarray(error)
    assert np.all(np.abs(z) < many), z


def test_without_anharmonicity_it_is_the_linear_pair():
    for values in ({}, {"amplitude": 3.0, "phase": 2.0, "friction": 0.3}, {"coupling": 0.5, "mass": 2.0} | OFF):
        s, truth = (
            cs.steady_state(Pair(anharmonicity=0.0, **values)),
            cs.steady_state(cs.machines.OscillatorPair(**values)),
        )
        within(s.heat.array, truth.heat.array, s.error.heat.array + 1e-3 * np.max(np.abs(truth.heat.array)))
        within(s.work.array, truth.work.array, s.error.work.array + 1e-3 * np.max(np.abs(truth.heat.array)))
        assert s.stochastic
        assert not truth.stochastic


def test_equilibrium_averages_by_quadrature():
    """⟨x²⟩ with weight e^{−V/T}, ⟨v²⟩ = T/m; no heat, no work, and the regime says so."""
    temperature, alpha = 0.8, 2.0
    s = cs.steady_state(
        Pair(anharmonicity=alpha, left=cs.HeatBath(temperature), right=cs.HeatBath(temperature), mass=0.5, **OFF)
    )
    x = np.linspace(-5, 5, 801)
    one, two = np.meshgrid(x, x, indexing="ij")
    v = one**2 + two**2 + 1.5 * (one - two) ** 2 + alpha * (one**4 + two**4 + (one - two) ** 4) / 4
    weight = np.exp(-v / temperature)
    square = np.sum(one**2 * weight) / np.sum(weight)
    moments = [s.observables[name] for name in ("x_squared 0", "x_squared 1", "v_squared 0", "v_squared 1")]
    within(moments, [square, square, 1.6, 1.6], s.observable_errors.array)
    within(s.heat.array, 0.0, s.error.heat.array)
    assert s.regime == "passive"
    assert np.all(np.asarray(s.work.array) == 0.0)


def test_heat_between_two_temperatures_by_a_loop_in_numpy():
    """Heun's method with the heat (−γv+η)∘v as it stands, and other random numbers."""
    rng, h, n = np.random.default_rng(1), 0.01, 2500
    alpha, hot, cold = 4.0, 2.0, 0.4
    noise_size = np.sqrt(2 * h * np.array([[hot], [cold]]))

    def force(x):
        d = x - x[::-1]
        return -2 * x - 3 * d - alpha * (x**3 + d**3)

    x, v, heat = np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n))
    for step in range(3000):
        kick = noise_size * rng.standard_normal((2, n))
        guess_x, guess_v = x + h * v, v + h * (force(x) - v) + kick
        new_v = v + h / 2 * (force(x) - v + force(guess_x) - guess_v) + kick
        x = x + h / 2 * (v + guess_v)
        if step >= 1000:
            middle = (v + new_v) / 2
            heat += (kick - h * middle) * middle
        v = new_v
    heat /= 2000 * h
    error = heat.std(axis=1) / math.sqrt(n)
    s = cs.steady_state(Pair(anharmonicity=alpha, left=cs.HeatBath(hot), right=cs.HeatBath(cold), **OFF))
    linear = cs.steady_state(cs.machines.OscillatorPair(left=cs.HeatBath(hot), right=cs.HeatBath(cold), **OFF))
    within(heat.mean(axis=1), s.heat.array, np.hypot(error, s.error.heat.array))
    assert abs(s.heat["left"] - linear.heat["left"]) > 10 * s.error.heat["left"]
    within(np.sum(s.heat.array), 0.0, 0.3 * np.min(s.error.heat.array))


def test_cold_driven_pair_by_an_ordinary_differential_equation():
    """Without noise: the periodic motion by DOP853, heat −γ⟨v²⟩; the step's error is of second order."""
    alpha, amplitude = 5.0, 3.0
    network = Pair(
        anharmonicity=alpha, amplitude=amplitude, left=cs.HeatBath(1e-12), right=cs.HeatBath(1e-12), friction=1.5
    ).dynamics()

    def motion(t, z):
        x, v = z[:2], z[2:4]
        d = x - x[::-1]
        f = amplitude * np.cos(OMEGA * t + np.array([0.0, 0.3]))
        return np.concatenate([v, f - 2 * x - 3 * d - alpha * (x**3 + d**3) - 1.5 * v, -1.5 * v**2, f * v])

    tight = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}
    start = integrate.solve_ivp(motion, (0, 90.0), np.zeros(8), **tight).y[:, -1]
    turn = integrate.solve_ivp(motion, (0, 3.0), np.concatenate([start[:4], np.zeros(4)]), **tight).y[:, -1]
    assert np.allclose(turn[:4], start[:4], atol=1e-8)
    errors = []
    for step in (3 / 64, 3 / 128):
        t = cs.trajectories(network, jax.random.key(0), n=16, time=3.0, time_step=step, transient=90.0, throw=False)
        errors.append(np.concatenate([t.heat.array, t.work.array]) - turn[4:] / 3)
    assert np.all(np.abs(errors[1]) < 2e-3)
    assert np.all(np.abs(np.log2(np.abs(errors[0]) / np.abs(errors[1])) - 2) < 0.1)


def test_sweep_of_nonlinear_pairs_keeps_each_point():
    data = cs.sweep(Pair(), {"anharmonicity": [0.0, 2.0, -0.4], "left.temperature": [0.5, 1.0]})
    assert data.status.values.tolist() == [[0, 0], [0, 0], [5, 5]]
    assert np.all(data.regime.values[:2] == "heater")
    assert np.all(np.isnan(data.heat.values[2]))
    alone = cs.steady_state(Pair(anharmonicity=2.0, left=cs.HeatBath(0.5)))
    assert np.allclose(data.heat.values[1, 0], alone.heat.array, rtol=1e-9)
    assert np.allclose(data.heat_error.values[1, 0], alone.error.heat.array, rtol=1e-9)
    assert np.allclose(data.x_squared_0_error.values[1, 0], alone.observable_errors["x_squared 0"], rtol=1e-9)


def test_gradients_follow_the_trajectories(monkeypatch):
    """Derivatives of the sampled averages, against finite differences with the same random numbers."""
    monkeypatch.setattr(ensemble, "TRAJECTORIES", 48)
    monkeypatch.setattr(ensemble, "MEASURED", 640)

    def heat(p):
        network = single(quartic=p[0], temperature=p[1], spring=p[3], friction=p[2])
        return cs.steady_state(network, throw=False).observables.array

    point = jnp.array([0.7, 0.9, 0.6, 2.0])
    slope = np.asarray(jax.jacrev(heat)(point))
    # Steps of 1e-5 change neither the time step nor the random numbers; the start is forgotten to e^{−12}.
    for k in range(4):
        move = 1e-5 * np.eye(4)[k]
        assert np.allclose((heat(point + move) - heat(point - move)) / 2e-5, slope[:, k], rtol=1e-5, atol=1e-7)
    # Two wells and hardly any friction: chaotic, and said so.
    assert np.all(np.isnan(jax.jacrev(heat)(jnp.array([1.0, 0.7, 0.02, -4.0]))))


# --------------------------------------------------------------------------- what goes wrong


def runs(network, **options):
    return cs.trajectories(network, jax.random.key(1), **({"n": 64, "time": 40.0} | options))


def test_failures_are_named():
    with pytest.raises(cs.SolveError, match=r"coordinate 0 runs away: in trajectory \d+ it is .* at time \d") as caught:
        runs(single(downhill=1.0))
    assert caught.value.status is cs.Status.UNSTABLE
    with pytest.raises(cs.SolveError, match=r"not a number at time \d.*: trajectory \d+ is at x = \[\d"):
        runs(single(edge=1.0))
    with pytest.raises(cs.SolveError, match="a mode of its motion grows or is not damped"):
        runs(pair(amplitude=None, springs=(-1.0, 0.2)))
    with pytest.raises(cs.SolveError, match="half of the time differ"):
        runs(single(trap=30.0), time=300.0)
    with pytest.raises(cs.InputError, match=r"`time_step` is 1.2, but this network is stable only below 0.707"):
        runs(pair(amplitude=None), time_step=1.2)
    with pytest.raises(cs.InputError, match="linear network that moves most alike is stable only below"):
        runs(single(quartic=0.4), time_step=2.2)


def test_a_step_too_long_where_it_is_steep_is_noticed():
    """Stable for the most similar linear network, not for excursions: it runs away, or the energy does not balance."""
    with pytest.raises(cs.SolveError, match=r"runs away|energy balance is off"):
        runs(single(quartic=5.0, spring=0.1, temperature=4.0), time_step=0.3, time=400.0)


def test_a_step_that_does_not_balance_is_noticed():
    network = pair(Quartic(as_float(0.4)))
    with pytest.raises(cs.SolveError, match=r"energy balance is off by 0\.0") as caught:
        runs(network, time_step=3 / 16, n=512)
    assert caught.value.solution.residuals["first law"] > 0.01
    assert caught.value.solution.residuals["drift"] < 5
    assert runs(network, time_step=3 / 64, n=512).solution.residuals["first law"] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 15}, "`n` must be at least 16"),
        ({"n": 0}, "`n` must be a positive integer"),
        ({"n": 20.0}, "`n` must be a positive integer"),
        ({"time": -1.0}, "`time` must be positive"),
        ({"time": float("nan")}, "`time` must be positive"),
        ({"time_step": 0.0}, "`time_step` must be positive"),
        ({"bias": -1e-3}, "`bias` must be positive"),
        ({"bias": 1e-3, "time_step": 0.1}, "`time_step` or `bias`, not both"),
        ({"transient": -1.0}, "`transient` must be a time"),
        ({"keep": 65}, "`keep` must be an integer from 0 to `n` = 64"),
        ({"stride": 0}, "`stride` must be a positive integer"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(cs.InputError, match=message):
        runs(pair(), **options)


def test_bad_keys_and_machines():
    with pytest.raises(cs.InputError, match="`key` must be a key"):
        cs.trajectories(pair(), 3)
    with pytest.raises(cs.InputError, match="`key` must be a key"):
        cs.trajectories(pair(), jax.random.split(jax.random.key(0)))
    with pytest.raises(cs.InputError, match="JumpNetwork has none"):
        cs.trajectories(cs.machines.QuantumDot(), jax.random.key(0))


def test_steady_states_that_cannot_be_trusted():
    with pytest.raises(cs.SolveError, match="left the range of numbers") as caught:
        cs.steady_state(Pair(anharmonicity=-0.4))
    assert caught.value.status is cs.Status.UNSTABLE
    # Two periods would need more steps than the documented most.
    with pytest.raises(cs.SolveError, match="more than 131072 steps") as caught:
        cs.steady_state(Pair(frequency=1e-4))
    assert caught.value.status is cs.Status.NOT_CONVERGED
    broken = eqx.tree_at(lambda m: m.left.temperature, Pair(), jnp.asarray(-1.0))
    assert int(cs.steady_state(broken, throw=False).status) == cs.Status.INVALID


def test_standard_errors_by_blocks_of_time():
    """Halves of the time that forget each other give the standard errors of the trajectories; short ones less."""
    machine = cs.machines.OscillatorPair()
    long, short = (
        cs.trajectories(machine, jax.random.key(5), n=2048, time=time).solution.statistics["block_error_ratio"]
        for time in (60.0, 6.0)
    )
    # Each ratio is uncertain by 1/√(2·2048), and the smallest of seven is taken.
    assert 0.92 < long < 1.05
    assert 1 / np.sqrt(2) - 0.05 < short < long
