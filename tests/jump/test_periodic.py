"""Periodic states against independent routes, the paper's numbers, limits and symmetries; honesty of their errors."""

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import coldspot as cs
from coldspot.dynamics import solve_points
from tests import routes

# --------------------------------------------------------------------------- second routes


def spin_period(j, rate, h0, period, phase, t_left, t_right, elements: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """q_L, q_R, w_L, w_R of the driven spin pair, and p at phase 0: its master equation for the four spin states.

    By SciPy's DOP853 with the monodromy, or with `elements` > 0 by Gauss collocation.
    """
    spins = np.array([(1, 1), (-1, 1), (1, -1), (-1, -1)])
    # Which state each becomes when the one spin or the other is flipped.
    flipped, state = np.array([[1, 2], [0, 3], [3, 0], [2, 1]]), np.arange(4)
    assert np.all(spins[flipped] == spins[:, None] * np.array([[-1, 1], [1, -1]]))
    temperature, bond = np.array([t_left, t_right]), spins.prod(-1, keepdims=True) * j

    def at(theta):
        theta = np.asarray(theta)
        field = spins * h0 * np.cos(theta[..., None] + np.array([0.0, phase]))[..., None, :]
        # 1 − tanh x = 2/(1 + e^{2x}) keeps the digits of small rates.
        w = rate * 4 / ((1 + np.exp(2 * bond / temperature)) * (1 + np.exp(2 * field / temperature)))
        generator = np.zeros((*theta.shape, 4, 4))
        generator[..., flipped, state[:, None]] = w
        generator[..., state, state] = -w.sum(-1)
        # Work by parts: the average of −σ dh/dt is that of h dσ/dt.
        rows = np.concatenate([w * 2 * (bond + field), w * field * -2], axis=-1)
        return generator, np.swapaxes(rows, -1, -2)

    return routes.collocate(at, 4, period, elements) if elements else routes.integrate(at, 4, period)


def spin_ledger(*numbers, **options) -> np.ndarray:
    """The averages alone."""
    return spin_period(*numbers, **options)[0]


def flat(s: cs.Solution) -> np.ndarray:
    return np.concatenate([np.ravel(s.energy.array), np.ravel(s.work.array)])


def flat_error(s: cs.Solution) -> np.ndarray:
    return np.concatenate([np.ravel(s.error.energies), np.ravel(s.error.works)])


DEFAULT = {"j": 1.0, "rate": 0.5, "h0": 0.25, "period": 225.0, "phase": 2.2, "t_left": 0.5, "t_right": 0.499}


def pair(**changes) -> tuple[cs.machines.SpinPair, dict]:
    p = DEFAULT | changes
    machine = cs.machines.SpinPair(
        p["j"], p["rate"], p["h0"], p["period"], p["phase"], cs.HeatBath(p["t_left"]), cs.HeatBath(p["t_right"])
    )
    return machine, p


@pytest.mark.parametrize(
    "changes",
    [{}, {"t_left": 1.0, "t_right": 0.1, "period": 190.0, "phase": 0.7 * np.pi}, {"period": 3.0, "h0": 1.0}],
    ids=["refrigerator", "engine", "fast and strong"],
)
def test_spin_pair_against_dop853(changes):
    machine, p = pair(**changes)
    s = cs.steady_state(machine, tolerance=1e-11)
    exact = spin_ledger(**p)
    # DOP853 at 1e-12 per step: its own error is a few 1e-11 of the gross rates.
    assert np.max(np.abs(flat(s) - exact)) < 1e-10 * np.max(np.abs(exact))


# --------------------------------------------------------------------------- the paper's numbers


def test_undriven_pair():
    """T_L=.5, T_R=.499, h_0=0: q_L = −q_R = 1.41039e-4 (independent calculation to these digits)."""
    s = cs.steady_state(pair(h0=0.0)[0])
    assert f"{float(s.heat['left']):.5e}" == "1.41039e-04"
    assert abs(s.heat["left"] + s.heat["right"]) < 1e-8 * abs(s.heat["left"])
    assert np.all(np.asarray(s.work.array) == 0.0)


def test_refrigerator_of_the_paper():
    s = cs.steady_state(pair()[0])
    assert f"{float(s.heat['right']):.4e}" == "3.6732e-04"
    assert f"{float(s.heat['left']):.5e}" == "-1.02434e-03"
    assert s.regime == "refrigerator"


def test_engine_of_the_paper():
    s = cs.steady_state(pair(t_left=1.0, t_right=0.1, period=190.0, phase=0.7 * np.pi)[0])
    assert f"{float(s.efficiency):.5e}" == "1.75603e-02"
    assert f"{float(s.heat['left']):.5e}" == "5.16937e-02"
    assert s.regime == "engine"


# --------------------------------------------------------------------------- honesty


def _from(_, q):
    return cs.machines.SpinPair(q[0], 0.5, q[1], q[2], q[3], cs.HeatBath(q[4]), cs.HeatBath(q[5]))


def spin_points(rng: np.random.Generator, points: int, cold: bool) -> np.ndarray:
    """J, h_0, τ, φ, T_L, T_R: T from J/20 (cold) or .05 to 2, τ from 1e-1 to 1e4."""
    t = (
        np.full((points, 2), 0.05) * rng.uniform(1, 1.2, (points, 2))
        if cold
        else 10 ** rng.uniform(-1.3, 0.3, (points, 2))
    )
    return np.column_stack([
        np.ones(points), rng.uniform(0, 1, points), 10 ** rng.uniform(-1, 4, points), rng.uniform(0, 6.3, points), t,
    ])  # fmt: skip


@pytest.mark.parametrize("cold", [False, True], ids=["T .05 to 2", "T = J/20"])
def test_spin_pair_errors_are_honest(cold):
    """Every point converged or marked; where converged, entries within the reported error of a far finer solution."""
    points = spin_points(np.random.default_rng(31 + cold), 150, cold)
    s = solve_points.solve(_from, None, jnp.asarray(points), jnp.asarray(1e-8))  # the way taken inside `jax.jit`
    status = np.asarray(s.status)
    assert set(status) <= {0, int(cs.Status.NOT_CONVERGED)}
    assert np.mean(status == 0) > 0.98
    values = np.concatenate([np.asarray(s.energy.array), np.asarray(s.work.array)], -1)
    errors = np.concatenate([np.asarray(s.error.energies), np.asarray(s.error.works)], -1)
    for k in np.flatnonzero(status == 0):
        j, h0, period, phase, t_left, t_right = points[k]
        elements = int(np.clip(period, 64, 1024))
        exact = spin_ledger(j, 0.5, h0, period, phase, t_left, t_right, elements)
        off = np.abs(values[k] - exact)
        # The route rounds, too: 1e-15 of the gross rates (order 1) per element and more at many elements.
        assert np.all(off <= errors[k] + 2e-14 * np.max(np.abs(exact)) + 1e-16), (k, points[k], off, errors[k])
        top = np.max(np.abs(values[k]))
        assert np.max(errors[k]) <= max(1e-8 * top, np.max(errors[k]) * (top <= np.max(errors[k])))
        assert abs(values[k].sum()) <= errors[k].sum()


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8, 1e-11])
def test_requested_tolerance_is_met(tolerance):
    for changes in ({}, {"period": 1e4}, {"t_left": 0.05, "t_right": 0.06, "period": 20.0}, {"period": 0.1}):
        machine, p = pair(**changes)
        s = cs.steady_state(machine, tolerance=tolerance)
        exact = spin_ledger(**p, elements=1024)
        assert np.max(np.abs(flat(s) - exact)) <= tolerance * np.max(np.abs(exact)) + 1e-16
        assert np.max(flat_error(s)) <= tolerance * np.max(np.abs(exact)) * 1.01 + 1e-15


def test_a_tolerance_out_of_reach_is_marked():
    """Rounding forbids 1e-16: the point is not converged, its error says so, and `steady_state` raises."""
    machine, _ = pair()
    s = cs.steady_state(machine, tolerance=1e-17, throw=False)
    assert int(s.status) == int(cs.Status.NOT_CONVERGED)
    assert s.regime == "unknown"
    with pytest.raises(cs.SolveError, match="tolerance") as caught:
        cs.steady_state(machine, tolerance=1e-17)
    assert caught.value.status == cs.Status.NOT_CONVERGED


# --------------------------------------------------------------------------- limits and symmetries


def _gated(period, rate, hot, amplitude):
    return cs.JumpNetwork(
        energies=lambda v: [0.0, v["gate"]],
        baths={"hot": cs.HeatBath(hot), "cold": cs.HeatBath(1.0)},
        channels=[cs.Channel(name, 0, 1, cs.Glauber(rate)) for name in ("hot", "cold")],
        drives={"gate": cs.Cosine(amplitude)},
        period=period,
    )


@pytest.fixture(scope="module")
def gates():
    """A level that a gate moves: slowly at one temperature, then at rates that float less and less well."""
    slow = [{"period": period, "rate": 0.25, "hot": 1.0, "amplitude": 0.5} for period in (1e3, 1e4)]
    fast = [{"period": 3.0, "rate": rate, "hot": 2.0, "amplitude": 0.3} for rate in (1.0, 1e50, 1e300)]
    # Net rates of the slow ones are 1e-9 of the flows back and forth: rounding leaves six digits.
    return cs.sweep(_gated, slow + fast, tolerance=1e-5, progress=False)


def test_slow_driving_is_quasi_static(gates):
    """τ → ∞ at one temperature: work per period goes to zero as 1/τ, so power as 1/τ²."""
    assert np.all(gates.status.values[:2] == cs.Status.OK)
    first, second = gates.work.values[:2, 0]
    assert abs(first / second - 100) < 0.1
    # Linear response of p to the level, f(1−f)/T, lags by 1/γ: power = ⟨f(1−f)ε̇²⟩/(γT); γ = 2 · 2 · 0.25.
    theta = 2 * np.pi * np.arange(64) / 64
    f = 1 / (1 + np.exp(0.5 * np.cos(theta)))
    expected = np.mean(f * (1 - f) * (0.5 * np.sin(theta) * 2 * np.pi / 1e4) ** 2)
    assert abs(second / expected - 1) < 1e-5


def test_rates_whose_propagator_overflows_are_not_states_that_nothing_connects(gates):
    assert gates.status.values[2:].tolist() == [cs.Status.OK, cs.Status.NOT_CONVERGED, cs.Status.NOT_CONVERGED]
    assert np.all(np.isfinite(gates.heat.values[2]))


def test_reversed_phase_swaps_the_baths():
    """At equal temperatures φ → −φ exchanges left and right."""
    for phase in (0.3, 1.0, 2.2, 3.0):
        one = cs.steady_state(pair(phase=phase, t_right=0.5)[0])
        other = cs.steady_state(pair(phase=-phase, t_right=0.5)[0])
        error = float(np.max(flat_error(one)) + np.max(flat_error(other)))
        assert abs(one.heat["left"] - other.heat["right"]) <= error
        assert abs(one.work["left"] - other.work["right"]) <= error


def test_relabelled_sites_swap():
    """Exchanging the temperatures and the phases of the two sites exchanges the baths at any temperatures."""
    one = cs.steady_state(pair(t_left=0.7, t_right=0.4, phase=0.9)[0])
    other = cs.steady_state(pair(t_left=0.4, t_right=0.7, phase=-0.9)[0])
    error = float(np.max(flat_error(one)) + np.max(flat_error(other)))
    assert abs(one.heat["left"] - other.heat["right"]) <= error
    assert abs(one.work["left"] - other.work["right"]) <= error
    assert abs(one.entropy_production - other.entropy_production) <= 10 * error


def test_origin_of_time_means_nothing():
    """Both drives shifted by one phase: the same averages."""

    def shifted(by):
        network = cs.machines.SpinPair().dynamics()
        drives = {"left": cs.Cosine(0.25, by), "right": cs.Cosine(0.25, 2.2 + by)}
        return cs.steady_state(
            cs.JumpNetwork(network.energies, dict(network.baths), network.channels, drives=drives, period=225.0)
        )

    one, other = shifted(0.0), shifted(1.234)
    assert np.max(np.abs(flat(one) - flat(other))) <= np.max(flat_error(one)) + np.max(flat_error(other))


def test_work_of_drives_adds_up():
    """The same fields as one plain function of the phase: the one drive's work is the sum of the two."""
    network = cs.machines.SpinPair().dynamics()
    two = cs.steady_state(network)
    one = cs.steady_state(cs.JumpNetwork(_plain_fields, dict(network.baths), network.channels, period=225.0))
    assert one.drives == ("drive",)
    assert abs(one.work["drive"] - two.work["left"] - two.work["right"]) <= np.sum(flat_error(one)) + np.sum(
        flat_error(two)
    )
    assert np.max(np.abs(one.heat.array - two.heat.array)) <= np.max(flat_error(one)) + np.max(flat_error(two))


def _plain_fields(phase):
    spins = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
    first, second = spins.T
    return -first * second - 0.25 * jnp.cos(phase) * first - 0.25 * jnp.cos(phase + 2.2) * second


def test_period_beyond_the_last_number_of_elements_is_marked():
    """A period of 1e9 relaxation times with a sharp drive: an answer to the tolerance, or marked, never nonsense."""
    s = cs.steady_state(pair(period=1e9)[0], throw=False)
    if s.ok:
        assert abs(s.first_law_residual) <= np.sum(flat_error(s))
    else:
        assert s.regime == "unknown"


_drive = st.fixed_dictionaries(
    {
        "h0": st.floats(0.0, 2.0),
        "phase": st.floats(-7, 7),
        "period": st.floats(-1, 3).map(lambda e: 10.0**e),
        "t_left": st.floats(0.1, 3.0),
        "t_right": st.floats(0.1, 3.0),
        "j": st.floats(-1.5, 1.5),
    }
)


@hypothesis.settings(max_examples=40)
@hypothesis.given(_drive)
def test_laws_for_any_spin_pair(drive):
    s = cs.steady_state(pair(**drive)[0], throw=False)
    assert int(s.status) in (0, int(cs.Status.NOT_CONVERGED))
    if s.ok:
        error = float(jnp.sum(s.error.energies) + jnp.sum(s.error.works))
        assert abs(s.first_law_residual) <= error + 1e-300
        assert s.entropy_production >= -float(jnp.sum(s.error.entropy_flows))
