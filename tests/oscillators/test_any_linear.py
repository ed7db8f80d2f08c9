"""Linear networks beyond masses with one bath each: overdamped, friction matrices, shared coordinates, any force."""

import re
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov
from scipy.special import ive

import coldspot as cs
from tests.tolerance import assert_close

MASSES = np.array([1.0, 2.0, 0.5])
SPRINGS = np.array([[3.0, -1.0, -0.4], [-1.0, 2.5, -0.7], [-0.4, -0.7, 1.9]])
TEMPERATURES = (2.0, 1.0, 0.3)
PLACES = {"a": [0, 1], "b": 1, "c": [1, 2]}
PULL = np.array([[0.0, 0.3, 0.0], [-0.2, 0.1, 0.0], [0.0, 0.4, 0.0]])
COSINES, SINES, OMEGA = (0.3, 0.1), (0.2, -0.4), 1.3


def matrices(rng):
    root = rng.normal(size=(2, 2))
    return {"a": root @ root.T, "b": 0.5, "c": [0.2, 0.3]}


def network(frictions, pull=None, masses=MASSES, temperatures=TEMPERATURES):
    forces = {"push": (0, cs.Fourier(COSINES, SINES, mean=0.7))}
    if pull is not None:
        forces["pull"] = pull
    return cs.OscillatorNetwork(
        masses,
        SPRINGS,
        frictions,
        {name: cs.HeatBath(t) for name, t in zip("abc", temperatures, strict=True)},
        PLACES,
        forces=forces,
        frequency=OMEGA,
    )


def by_lyapunov(frictions, pull):
    """Heats, works (push, pull) and ⟨x_j ẋ_i⟩: SciPy's Lyapunov solver, and Newton's equations at each harmonic."""
    gamma = np.zeros((3, 3, 3))
    gamma[0, :2, :2], gamma[1, 1, 1] = frictions["a"], frictions["b"]
    gamma[2, 1, 1], gamma[2, 2, 2] = frictions["c"]
    total, force = gamma.sum(0), pull - SPRINGS
    a = np.block([[np.zeros((3, 3)), np.eye(3)], [force / MASSES[:, None], -total / MASSES[:, None]]])
    w = np.zeros((6, 6))
    w[3:, 3:] = 2 * np.einsum("b,bij->ij", TEMPERATURES, gamma) / np.outer(MASSES, MASSES)
    x = solve_continuous_lyapunov(a, -w)
    heats = np.array(
        [t * np.trace(g / MASSES) - np.sum(g * x[3:, 3:]) for t, g in zip(TEMPERATURES, gamma, strict=True)]
    )
    works, crossed = np.array([0.0, np.sum(pull * x[3:, :3])]), x[3:, :3]
    for h, (c, s) in enumerate(zip(COSINES, SINES, strict=True), 1):
        f = np.array([c - 1j * s, 0, 0])
        u = np.linalg.solve(-force - (h * OMEGA) ** 2 * np.diag(MASSES) + 1j * h * OMEGA * total, f)
        v = 1j * h * OMEGA * u
        heats -= 0.5 * np.einsum("i,bij,j->b", v.conj(), gamma, v).real
        works += 0.5 * np.array([(f.conj() @ v).real, (v.conj() @ pull @ u).real])
        crossed = crossed + 0.5 * np.outer(v, u.conj()).real
    return heats, works, crossed


def test_friction_matrices_shared_coordinates_and_pulls():
    for seed in range(3):
        frictions = matrices(np.random.default_rng(seed))
        s = cs.steady_state(network(frictions, PULL))
        heats, works, crossed = by_lyapunov(frictions, PULL)
        assert_close(s.heat.array, heats, 1e-12)
        assert_close(s.work.array, works, 1e-12, np.abs(heats).max())
        assert np.all(np.abs(s.heat.array - heats) <= s.error.energies + 1e-13)
    flows = -SPRINGS * crossed
    assert_close(network(frictions, PULL).currents(), flows - np.diag(np.diag(flows)), 1e-12, np.abs(heats).max())


def test_currents_between_coordinates_without_a_mass():
    """What springs bring to a coordinate is what its bath takes; at one temperature nothing flows."""

    def light(right):
        baths, sites = {"left": cs.HeatBath(2.0), "right": cs.HeatBath(right)}, {"left": 0, "right": 2}
        return cs.OscillatorNetwork([0.0, 1.0, 0.0], SPRINGS, [0.5, 0.0, 0.8], baths, sites)

    heats = cs.steady_state(light(0.7)).heat
    flows = np.asarray(light(0.7).currents())
    assert_close(flows.sum(1), np.array([-heats["left"], 0.0, -heats["right"]]), 1e-12, float(heats["left"]))
    assert np.all(flows == -flows.T)
    assert np.all(np.asarray(light(2.0).currents()) == 0)


def test_a_matrix_with_an_energy_is_a_spring():
    """A symmetric pull does no work on average, and heats are those of the springs less the matrix."""
    frictions, part = matrices(np.random.default_rng(7)), np.diag([0.4, 0.0, 0.2])
    s = cs.steady_state(network(frictions, part))
    heats, works, _ = by_lyapunov(frictions, part)
    assert_close(s.heat.array, heats, 1e-12)
    assert abs(float(s.work["pull"])) < 1e-13
    assert_close(s.work["push"], works[0], 1e-12)


def test_covariance_of_friction_matrices():
    frictions = matrices(np.random.default_rng(1))
    net = network(frictions)
    equal = network(frictions, temperatures=(1.3, 1.3, 1.3))
    expected = 1.3 * np.block([[np.linalg.inv(SPRINGS), np.zeros((3, 3))], [np.zeros((3, 3)), np.diag(1 / MASSES)]])
    assert_close(equal.covariance(), expected, 1e-13)
    assert np.all(np.linalg.eigvalsh(net.covariance()) > 0)


def gyrator(masses, pull):
    return cs.OscillatorNetwork(
        masses,
        [[2.0, 1.2], [1.2, 3.0]],
        [0.7, 1.9],
        {"a": cs.HeatBath(2.0), "b": cs.HeatBath(1.0)},
        {"a": 0, "b": 1},
        forces={"torque": pull, "push": (0, cs.Fourier([0.3, 0.1], [0.2, -0.4], mean=0.3))},
        frequency=1.3,
    )


def test_no_mass_is_the_limit_of_small_masses():
    """Heat and work of masses m and 2m, extrapolated to m = 0; the scheme for masses shares no line with the limit."""
    pull = np.array([[0.0, 0.8], [-0.3, 0.0]])
    limit = cs.steady_state(gyrator([0.0, 0.0], pull))
    one, two = (cs.steady_state(gyrator([m, m], pull)) for m in (1e-4, 2e-4))
    for name in ("heat", "work"):
        near, far = (np.asarray(getattr(s, name).array) for s in (one, two))
        assert_close(getattr(limit, name).array, 2 * near - far, 3e-7)
        assert np.abs(near - 2 * near + far).max() > 1e-5


def test_gyrator():
    """heat[first] = u²(T_1−T_2)/(γ_1k_2 + γ_2k_1), and nothing at one temperature."""
    for t in (1.0, 1.0 + 1e-9, 1.1, 3.0):
        machine = cs.machines.BrownianGyrator(friction_second=1.7, torque=0.0, first=cs.HeatBath(t))
        heat = float(cs.steady_state(machine).heat["first"])
        assert_close(heat, 1.2**2 * (t - 1.0) / (3.0 + 1.7 * 2.0), 1e-13)


def test_gyrator_with_a_torque():
    """ẋ_1 = −k_1x_1−(u−ε)x_2+…: the stationary covariance by hand, three linear equations."""
    k1, k2, u, e, g1, g2, t1, t2 = 2.0, 3.0, 1.2, -0.3, 1.0, 1.0, 4.0, 1.0
    rows = [[k1, u - e, 0.0], [(u + e) * g1, k1 * g2 + k2 * g1, (u - e) * g2], [0.0, u + e, k2]]
    xx, xy, yy = np.linalg.solve(rows, [t1, 0.0, t2])
    # ⟨x∘ẏ⟩ = −⟨y∘ẋ⟩, from ẏ.
    turning = -((u + e) * xx + k2 * xy) / g2
    work = e * -turning - e * turning
    s = cs.steady_state(cs.machines.BrownianGyrator())
    assert_close(s.work["torque"], work, 1e-13)
    assert_close(s.heat["second"], (u + e) * turning, 1e-13)
    assert s.regime == "engine"
    assert yy > 0


@pytest.mark.parametrize("masses", [[0.0, 0.0], [1.0, 0.7], [0.0, 0.7]])
def test_small_forces_without_an_energy_keep_their_digits(masses):
    """Heats at one temperature are linear in the force: those of a millionth are a millionth, far below rounding."""

    def heats(torque):
        pull = {"torque": torque * np.array([[0.0, 1.0], [-1.0, 0.0]])}
        baths = {name: cs.HeatBath(1.3) for name in ("one", "two")}
        springs = [[2.0, 0.6], [0.6, 3.0]]
        s = cs.steady_state(
            cs.OscillatorNetwork(masses, springs, [1.0, 1.7], baths, {"one": 0, "two": 1}, forces=pull), throw=False
        )
        assert int(s.status) == 0
        scale = 1e-13 * np.abs(s.work.array).max()
        assert abs(float(s.heat.array.sum() + s.work.array.sum())) <= scale + float(s.error.heat.array.sum())
        return np.asarray(s.heat.array)

    assert np.all(heats(0.0) == 0.0)
    large = heats(1e-3)
    assert large.sum() < 0  # what forces do becomes heat
    assert_close(heats(1e-6) * 1e3, large, 2e-3)
    assert_close(heats(1e-18) * 1e15, large, 2e-3)


def test_no_steady_state():
    bath = {"bath": cs.HeatBath(1.0)}
    turned = {"torque": [[0.0, 9.0], [-9.0, 0.0]]}
    with pytest.raises(cs.SolveError, match=r"eigenvalue .*runs away") as caught:
        cs.steady_state(cs.OscillatorNetwork([1.0, 1.0], SPRINGS[:2, :2], [1.0, 1.0], bath, {"bath": [0, 1]}, turned))
    assert caught.value.status == cs.Status.UNSTABLE
    adrift = cs.OscillatorNetwork([1.0, 1.0], [[1.0, -1.0], [-1.0, 1.0]], {"bath": 1.0}, bath, {"bath": [0, 1]})
    assert re.search(r"nothing holds the motion along \(1, 1\)", adrift.explain(cs.Status.UNSTABLE))
    with pytest.raises(cs.SolveError, match="no friction damps") as caught:
        cs.steady_state(cs.OscillatorNetwork([1.0, 1.0], np.diag([1.0, 2.0]), {"bath": 0.0}, bath, {"bath": 0}))
    assert caught.value.status == cs.Status.NOT_UNIQUE


def test_derivatives():
    def ledger(theta):
        net = cs.OscillatorNetwork(
            [0.0, theta[3]],
            [[2.0, theta[0]], [theta[0], 3.0]],
            {"a": theta[1], "b": theta[2]},
            {"a": cs.HeatBath(2.0), "b": cs.HeatBath(1.0)},
            {"a": 0, "b": 1},
            forces={"torque": PULL[:2, :2] * theta[0], "push": (0, cs.Cosine(theta[1]))},
            frequency=theta[2],
        )
        s = cs.steady_state(net)
        return jnp.concatenate([s.heat.array, s.work.array])

    theta, step = np.array([1.2, 0.7, 1.9, 1.0]), 1e-4

    @jax.jit
    def both(x):
        return jax.value_and_grad(lambda x: (every := ledger(x)) @ np.cos(np.arange(every.size)))(x)

    value, gradient = both(theta)
    for k in range(4):
        unit = np.eye(4)[k]
        ahead, behind = ([both(theta + sign * h * unit)[0] for h in (step, 2 * step)] for sign in (1, -1))
        slope = (8 * (ahead[0] - behind[0]) - (ahead[1] - behind[1])) / (12 * step)
        assert_close(gradient[k], slope, 1e-9, np.abs(value))


def pushed(drive, bath=None):
    forces, bath = {"push": (0, drive)}, bath or cs.HeatBath(1.0)
    s = cs.steady_state(
        cs.OscillatorNetwork([1.0], [[2.0]], [0.3], {"bath": bath}, {"bath": 0}, forces=forces, frequency=0.7),
        throw=False,
    )
    return s.status, float(s.work["push"]), float(s.error.work["push"])


def worked(amplitudes):
    """Work of a force with complex amplitudes λ = Re Σ_h a_h e^{ihθ}: ½ Σ_h |a_h|² ω Im χ."""
    w = 0.7 * np.arange(1, len(amplitudes) + 1)
    return 0.5 * np.sum(np.abs(amplitudes) ** 2 * w * (1 / (2 - w**2 - 0.3j * w)).imag)


def test_forces_made_of_pieces():
    """Jumps and kinks have harmonics without end, which no number of instants tells exactly."""
    h = np.arange(1, 2**17)
    steps = 1.5 * (1 - np.exp(-2j * np.pi * h * 0.3)) / (1j * np.pi * h)
    triangle = -2 * (1 - (-1.0) ** h) / (np.pi * h) ** 2
    for drive, bath, amplitudes in (
        (cs.Steps([1.0, -0.5], [0.3, 0.7]), None, steps),
        (cs.Samples([0.0, 1.0], kinked=True), None, triangle),
        (cs.Steps([1.0, -0.5], [0.3, 0.7]), cs.BosonBath(1.0), steps),
    ):
        status, work, error = pushed(drive, bath)
        assert status == cs.Status.OK
        assert abs(work - worked(amplitudes)) <= error < 1e-7 * work


def test_a_jump_of_a_force_that_nobody_declared_is_marked():
    class Jump(cs.Drive):
        def __call__(self, phase):
            return jnp.where(jnp.mod(phase, 2 * jnp.pi) < 0.6 * jnp.pi, 1.0, -0.5)

    h = np.arange(1, 2**17)
    status, work, error = pushed(Jump())
    assert status == cs.Status.NOT_CONVERGED
    assert abs(work - worked(1.5 * (1 - np.exp(-2j * np.pi * h * 0.3)) / (1j * np.pi * h))) < error


class Pulse(cs.Drive):
    place: jax.Array
    sharp: jax.Array

    def __call__(self, phase):
        return jnp.sqrt(self.sharp) * jnp.exp(self.sharp * (jnp.cos(phase - self.place) - 1))


@pytest.mark.parametrize("place", [0.3, 1.234, 2.9])
def test_pulses_too_narrow_to_be_seen_are_marked(place):
    """√s e^{s(cos θ−1)} has the impulse √(2π) and works however narrow it is; instants see nothing of it."""
    network = cs.OscillatorNetwork(
        [1.0],
        [[2.0]],
        [0.3],
        {"bath": cs.HeatBath(1.0)},
        {"bath": 0},
        forces={"push": (0, Pulse(jnp.asarray(place), jnp.asarray(1.0)))},
        frequency=0.7,
    )
    found = cs.sweep(network, {"drives.push.sharp": [10.0, 1e3, 1e8, 1e13]})
    assert [int(s) for s in found.status.values] == [cs.Status.OK] * 2 + [cs.Status.NOT_CONVERGED] * 2
    h = np.arange(1, 400)
    assert abs(float(found.work.values[1, 0]) / worked(2 * np.sqrt(1e3) * ive(h, 1e3)) - 1) < 1e-9
    narrow = Pulse(jnp.asarray(place), jnp.asarray(1e13))
    with pytest.raises(cs.SolveError, match="may hold a pulse between"):
        cs.steady_state(eqx.tree_at(lambda one: one.drives["push"], network, narrow))


def test_a_weak_direction_beside_a_stiff_one():
    """q = c²(T₁−T₂)/(γ₁b + γ₂a) of two overdamped coordinates, at nearly one temperature: what is stated holds."""
    rng = np.random.default_rng(5)
    good = 0
    for _ in range(14):
        a, b = 10 ** rng.uniform(-4, 4, 2)
        c = float(np.sqrt(a * b) * (1 - 10 ** rng.uniform(-7, -1)))
        g = 10 ** rng.uniform(-3, 3, 2)
        t = float(10 ** rng.uniform(-1, 1)) * np.array([1.0, 1 + 1e-9])
        baths = {"first": cs.HeatBath(t[0]), "second": cs.HeatBath(t[1])}
        pair = cs.OscillatorNetwork([0.0, 0.0], [[a, -c], [-c, b]], g, baths, {"first": 0, "second": 1})
        s = cs.steady_state(pair, throw=False)
        a, b, c, g, t = Fraction(a), Fraction(b), Fraction(c), [*map(Fraction, g)], [*map(Fraction, t)]
        wanted = c**2 * (t[0] - t[1]) / (g[0] * b + g[1] * a)
        off = [abs(float(Fraction(float(s.heat[name])) - q)) for name, q in (("first", wanted), ("second", -wanted))]
        assert off[0] <= s.error.heat["first"]
        assert off[1] <= s.error.heat["second"]
        good += s.status == cs.Status.OK and max(off) < 1e-10 * abs(wanted)
    assert good >= 12
