"""Springs and forces that jump: heat and work against products of exponentials, and Jarzynski's equality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import coldspot as cs
from coldspot.numerics.timeline import edges_of, timeline
from coldspot.oscillators.told import told
from coldspot.oscillators.walk import course_of

KEY = jax.random.key(11)
SPRINGS, FORCES = cs.Steps([1.0, 3.0, 2.0], [0.3, 0.25, 0.45]), cs.Steps([0.5, -1.0], [0.4, 0.6])
PIECES = [(0.3, 1.0, 0.5), (0.1, 3.0, 0.5), (0.15, 3.0, -1.0), (0.45, 2.0, -1.0)]
"""Share of the period, spring and force of each piece."""


def trap(mass, spring=SPRINGS, force=FORCES, frequency=0.8):
    """One coordinate in a trap that jumps, pushed by a force that jumps."""
    return cs.OscillatorNetwork(
        masses=[mass],
        springs=lambda drives: drives["trap"] * jnp.eye(1),
        frictions=[0.7],
        baths={"bath": cs.HeatBath(1.5)},
        sites={"bath": 0},
        forces={} if force is None else {"push": (0, force)},
        drives={"trap": spring},
        frequency=frequency,
    )


def exact(mass, frequency=0.8):
    """Heat, work of the trap and of the force, per time: (1, ⟨x⟩, ⟨v⟩, ⟨x²⟩, ⟨xv⟩, ⟨v²⟩, work) by exponentials."""
    period, g, t = 2 * np.pi / frequency, 0.7, 1.5

    def motion(k, f):
        if mass == 0:
            rows = [(1, 0, f / g), (1, 1, -k / g), (3, 0, 2 * t / g), (3, 1, 2 * f / g), (3, 3, -2 * k / g)]
            rows += [(6, 0, f * f / g), (6, 1, -f * k / g), (2, 2, -1), (4, 4, -1), (5, 5, -1)]
        else:
            rows = [(1, 2, 1), (2, 0, f / mass), (2, 1, -k / mass), (2, 2, -g / mass), (3, 4, 2), (4, 5, 1)]
            rows += [(4, 1, f / mass), (4, 3, -k / mass), (4, 4, -g / mass), (5, 2, 2 * f / mass), (6, 2, f)]
            rows += [(5, 4, -2 * k / mass), (5, 5, -2 * g / mass), (5, 0, 2 * g * t / mass**2)]
        a = np.zeros((7, 7))
        for i, j, value in rows:
            a[i, j] += value
        return a

    steps = [expm(motion(k, f) * share * period) for share, k, f in PIECES]
    whole = np.linalg.multi_dot(steps[::-1])[:6, :6]
    z = np.append(1.0, np.linalg.solve(np.eye(5) - whole[1:, 1:], whole[1:, 0]))
    z, trapped = np.append(z, 0.0), 0.0
    for step, (_, k, _), (_, before, _) in zip(steps, PIECES, PIECES[-1:] + PIECES[:-1], strict=True):
        trapped += (k - before) * z[3] / 2
        z = step @ z
    return np.array([-trapped - z[6], trapped, z[6]]) / period


def test_a_periodic_state():
    """With mass and without: exact, and within three standard errors and .3 % of the largest, which steps may cause."""
    network = cs.OscillatorNetwork(
        masses=[1.0, 0.0],
        springs=lambda drives: drives["trap"] * jnp.eye(2),
        frictions=[0.7, 0.7],
        baths={"heavy": cs.HeatBath(1.5), "light": cs.HeatBath(1.5)},
        sites={"heavy": 0, "light": 1},
        forces={"push": (0, FORCES), "shove": (1, FORCES)},
        drives={"trap": SPRINGS},
        frequency=0.8,
    )
    heavy, light = exact(1.0), exact(0.0)
    wanted = np.array([heavy[0], light[0], heavy[1] + light[1], heavy[2], light[2]])
    largest = np.abs(wanted).max()

    def ledger(rates):
        return np.array([*rates.heat.array, *(rates.work[name] for name in ("trap", "push", "shove"))])

    s = cs.steady_state(network)
    assert np.all(np.abs(ledger(s) - wanted) <= ledger(s.error))
    assert np.max(ledger(s.error)) < 1e-10 * largest
    found = cs.trajectories(network, KEY, n=1024, time=45.0, time_step=0.04, progress=False)
    assert found.status == cs.Status.OK
    assert np.max(np.abs(ledger(found) - wanted) / (3 * ledger(found.error) + 3e-3 * largest)) < 1
    assert np.max(ledger(found.error)) < 0.03 * largest
    assert abs(found.solution.first_law_residual) < 1e-3


@pytest.mark.parametrize("mass", [1.0, 0.0])
def test_a_sudden_quench(mass):
    """⟨e^{−W/T}⟩ = √(k/k′) with all work at the jump; each trajectory's energy changes by its heat and its work."""
    spring, t = cs.Steps([1.0, 2.0], [0.25, 0.75]), 1.5
    start = (np.zeros(1), [[t]]) if mass == 0 else (np.zeros(2), np.diag([t, t / mass]))
    found = cs.trajectories(
        trap(mass, spring, None), KEY, n=1024, time=4.0, start=start, time_step=0.02, progress=False
    )
    assert found.status == cs.Status.OK
    likely = np.exp(-np.asarray(found.works)[:, 0] / t)
    assert abs(likely.mean() - np.sqrt(0.5)) < 3 * likely.std() / 32
    # The work is that of one jump, of the positions there: a quarter of the period is in a block of steps.
    assert found.work["trap"] * 4.0 == pytest.approx(t / 2, abs=3 * float(np.std(found.works)) / 32)
    balance = np.asarray(np.asarray(found.heats).sum(1) + np.asarray(found.works).sum(1) - found.storages)
    if mass == 0:
        assert abs(balance.mean()) < 4 * balance.std() / 32 + 1e-3
    else:
        assert np.abs(balance).max() < 0.05


def test_steps_end_at_jumps_of_many_periods():
    """A ramp of one's own that says where it bends, and starts within a period, on a grid of unequal steps."""
    drive = cs.Steps([1.0, 3.0], [0.37, 0.63])
    network = trap(1.0, drive, None, frequency=2.0)
    start = (np.array([0.3, -0.2]), np.diag([1.0, 2.0]))
    wanted = cs.evolve(network, start, [7.0], tolerance=1e-6)
    found = cs.trajectories(network, KEY, n=1024, time=7.0, start=start, time_step=0.05, progress=False)
    for amount, value, spread in (
        (wanted.heat_amount["bath"][0], found.heats[:, 0], np.std(found.heats[:, 0])),
        (wanted.work_amount["trap"][0], found.works[:, 0], np.std(found.works[:, 0])),
    ):
        assert abs(value.mean() - amount) < 3 * spread / 32 + 2e-3 * abs(amount)
    assert found.solution.statistics["time_step"] <= 0.05


def test_a_time_that_ends_at_the_first_jump():
    """Nothing jumps before, so that there is no work, and energies are those before the jump."""
    end = 2 * np.pi / 0.8 * 0.3
    found = cs.trajectories(
        trap(1.0, force=None), KEY, n=64, time=end, start=(np.zeros(2), np.eye(2)), time_step=0.02, progress=False
    )
    assert np.all(np.asarray(found.works) == 0)
    assert np.max(np.abs(np.asarray(found.heats)[:, 0] - found.storages)) < 0.01


def test_springs_of_the_phase():
    """A smooth function of the phase is no jump at the end of its period; a jump is refused."""

    def network(springs):
        return cs.OscillatorNetwork(
            [1.0], springs, [0.7], {"bath": cs.HeatBath(1.5)}, {"bath": 0}, frequency=0.8
        )  # fmt: skip

    smooth = network(lambda phase: jnp.reshape(2 + jnp.cos(phase), (1, 1)))
    found = cs.trajectories(smooth, KEY, n=1024, time=20.0, progress=False)
    assert abs(found.work["drive"] - cs.steady_state(smooth).work["drive"]) < 3.5 * found.error.work["drive"]
    jumping = network(lambda phase: jnp.reshape(jnp.where(phase % (2 * np.pi) < 3, 1.0, 2.0), (1, 1)))
    with pytest.raises(cs.InputError, match="function of the phase, jump at the phase 3; give what jumps as `drives`"):
        cs.trajectories(jumping, KEY, n=16)


def test_a_stiff_pulse_shortens_the_steps():
    """A trap that is stiff for a fiftieth of the period sets the step, and is no reason for an unstable motion."""
    network = trap(0.0, cs.Steps([1.0, 70.0], [0.98, 0.02]), None, frequency=8.0)
    found = cs.trajectories(network, KEY, n=16, time=1.5, progress=False, throw=False)
    assert found.solution.statistics["time_step"] <= 0.05 / 100
    with pytest.raises(cs.InputError, match=r"`time_step` is 0\.1, .* stable only below 0\.02\."):
        cs.trajectories(network, KEY, n=16, time_step=0.1)


@pytest.mark.parametrize("stop", [None, 20.0])
def test_a_coarser_row_of_steps_has_the_programs_of_a_finer_one(stop):
    """Another row with its shapes: over a period, the same once more; up to some time, the same, and its end again."""
    network = told(trap(0.0))
    line = timeline(edges_of(network.borders, network.duration, stop), 0.1, turns=stop is None, block=16)
    fine, half = course_of(network, line), line.halved()
    alone, within = course_of(network, half), course_of(network, half, fine.count)
    for whole, part, padded in zip(*map(jax.tree.leaves, (fine, alone, within)), strict=True):
        assert padded.shape == whole.shape
        again = [part] * 2 if stop is None and part.shape[0] == alone.count else [part]
        np.testing.assert_array_equal(np.concatenate(again)[: alone.count], padded[: alone.count])
        if stop is None:
            np.testing.assert_array_equal(np.concatenate(again), padded)
    assert within.count == fine.count > alone.count
