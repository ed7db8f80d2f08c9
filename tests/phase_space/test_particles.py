"""Trajectories of single particles against the solver of the density, and against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot.phase_space import ensemble, outset
from coldspot.phase_space.sides import sides_of
from tests.oscillators import test_jumps

KEY = jax.random.key(11)


def distances(t, s):
    """All heats, works, particle numbers and observables of an ensemble, in standard errors from a solution's."""
    found = {f"heat {b}": (t.heat[b], s.heat[b], t.error.heat[b]) for b in s.heat}
    found |= {f"work {d}": (t.work[d], s.work[d], t.error.work[d]) for d in s.work}
    seen, errors = t.observables, t.solution.observable_errors
    found |= {name: (seen[name], value, errors[name]) for name, value in s.observables.items()}
    return {name: float((a - b) / error) for name, (a, b, error) in found.items() if error > 0}


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [(cs.machines.ButtikerLandauerRing(), 6), (cs.machines.KramersCooler(), 7)],
    ids=["ring", "cooler"],
)
def test_machines_with_steps_of_the_temperature(machine, numbers):
    """Elements in x and v, and particles one by one: heat per region and end, flux, kinetic energy over the step."""
    t, s = cs.trajectories(machine, KEY, n=256, time=150.0), cs.steady_state(machine, tolerance=1e-5)
    z = distances(t, s)
    assert len(z) == numbers
    assert max(map(abs, z.values())) < 4, z
    # They must be able to tell: the flux is known to a third, and is not 0.
    assert float(t.solution.observable_errors["flux"]) < abs(float(s.observables["flux"])) / 3


def test_as_many_as_a_standard_error_needs(tmp_path, monkeypatch):
    """The first portion is the ensemble that nobody asked to grow; what is kept is not simulated again."""
    run, lanes = ensemble._run, []

    def counted(*arguments):
        lanes.append(arguments[4])
        return run(*arguments)

    monkeypatch.setattr(ensemble, "_run", counted)
    ring, until = cs.machines.ButtikerLandauerRing(), cs.oscillators.Until(0.008, file=tmp_path / "ring.npz")
    options = {"n": 256, "time": 10.0, "transient": 10.0, "throw": False}
    one, grown = cs.trajectories(ring, KEY, **options), cs.trajectories(ring, KEY, until=until, **options)
    errors = [max(*t.error.heat.values(), *t.error.work.values()) for t in (one, grown)]
    assert errors[1] <= 0.008 < errors[0]
    assert len(grown.heats) % 256 == 0
    # As many tell the bias of the time step.
    assert np.array_equal(lanes[-1], ensemble.OTHERS + np.arange(len(grown.heats)))
    assert np.array_equal(grown.heats[:256], one.heats)
    assert grown.solution.statistics["trajectories"] == len(grown.heats)
    assert np.array_equal(cs.trajectories(ring, KEY, until=until, **options).heats, grown.heats)
    with pytest.raises(cs.InputError, match="another ensemble"):
        cs.trajectories(cs.machines.ButtikerLandauerRing(load=0.1), KEY, until=until, **options)


def box(rocking, barrier=0.0, lean=0.0):
    """Between walls, with a barrier in the middle, and more friction on its right."""
    return cs.KleinKramers(
        lambda x, values: 0.5 * x + values["rocking"] * jnp.sin(2 * x) + values["barrier"] * (1 - x * x) ** 2,
        friction=lambda x: 1.0 + 0.5 * x,
        temperature=lambda x: 1.0 + 1.5 * x**2,
        mass=0.5,
        boundary=cs.Closed(-1.0, 1.0),
        drives={"rocking": cs.Cosine(rocking, mean=lean), "barrier": cs.Cosine(0.0, mean=barrier)},
        frequency=1.5,
    )


def test_walls_a_drive_and_a_temperature_that_varies_smoothly():
    """The periodic state of the density: heat, work, entropy (not heat over one T), and the mean temperature."""
    t, s = cs.trajectories(box(2.0), KEY, n=512, time=60.0, keep=2), cs.steady_state(box(2.0), tolerance=1e-3)
    z = distances(t, s)
    assert max(map(abs, z.values())) < 4, z
    assert float(t.error.work["rocking"]) < 0.05 * float(s.work["rocking"])
    entropy, error = float(-t.solution.ledger.entropy_flows[0]), float(t.solution.error.entropy_flows[0])
    assert abs(entropy - float(s.entropy_production)) < 4 * error < 0.2 * entropy
    assert float(t.solution.temperatures[0]) == pytest.approx(float(s.temperatures[0]), rel=0.02)
    assert np.abs(t.positions).max() <= 1
    assert t.positions.shape[0] == 2
    assert not t.solution.flags["wells unmixed"]


def test_wells_between_which_particles_hop_more_slowly_than_the_run():
    """Their shares are assumed, which is a flag; where these matter, or that cannot be told, there is no result."""
    t = cs.trajectories(box(0.1, 20.0), KEY, n=512, time=10.0)
    assert t.solution.flags["wells unmixed"]
    assert t.solution.statistics["steps"] < 50_000
    with pytest.raises(cs.SolveError, match=r"shares on either side .* only \d+ begin on one side.* a larger `n`"):
        cs.trajectories(box(0.1, 20.0, lean=2.0), KEY, n=512, time=10.0)
    begun = outset.outset(box(0.1, 20.0).terrain())
    assert begun.top == pytest.approx(0.0, abs=0.02)
    flows = np.where(np.arange(512) % 32 == 0, 1.0, 0.0)[None]
    sides = sides_of(begun, np.where(np.arange(512) % 32 == 0, 0.5, -0.5), flows)
    assert sides.differ(np.array([0.5]))
    assert not sides.differ(np.array([1.0]))
    assert "heat or work would change by 0.66 ± 0 with others" in sides.words


def test_potentials_that_jump():
    """A periodic state against products of exponentials; Jarzynski's equality, and energies of single trajectories."""
    trap = cs.KleinKramers(
        lambda x, values: values["trap"] * x * x / 2 - values["push"] * x,
        friction=0.7,
        temperature=1.5,
        boundary=cs.Closed(),
        drives={"trap": test_jumps.SPRINGS, "push": test_jumps.FORCES},
        frequency=0.8,
    )
    t = cs.trajectories(trap, KEY, n=1024, time=45.0)
    z = [(t.heat["bath"], t.error.heat["bath"])] + [(t.work[name], t.error.work[name]) for name in ("trap", "push")]
    wanted = test_jumps.exact(1.0)
    for (value, error), exact in zip(z, wanted, strict=True):
        assert abs(value - exact) < 3 * error + 3e-3 * np.abs(wanted).max()
        assert error < 0.03 * np.abs(wanted).max()
    # Up to the last piece: k from 1 to 2, f from .5 to −1; ΔF = ½T ln 2 − (f²/2k)′.
    start = (np.array([0.5, 0.0]), np.diag([1.5, 1.5]))
    end = 0.6 * 2 * np.pi / 0.8
    t = cs.trajectories(trap, KEY, n=1024, time=end, start=start, keep=1, stride=16)
    weights = np.exp(-np.asarray(t.works).sum(1) / 1.5)
    free = 0.75 * np.log(2.0) - (0.25 - 0.125)
    assert abs(weights.mean() - np.exp(-free / 1.5)) < 3 * weights.std() / 32
    books = np.asarray(t.heats.sum(1) + t.works.sum(1) - t.storages)
    assert np.abs(books).max() < 0.02 * np.asarray(t.works).std()
    # Steps that end at jumps have several lengths, and the paths their times.
    assert t.times[0] == 0
    assert float(t.times[-1]) == pytest.approx(end, rel=1e-12)


def test_what_cannot_be_simulated_is_said():
    ring = cs.machines.ButtikerLandauerRing()
    with pytest.raises(cs.InputError, match=r"`time_step` is 2, but the motion is stable only below 1\.4"):
        cs.trajectories(ring, KEY, n=16, time_step=2.0)
    with pytest.raises(cs.InputError, match="`potential` does not confine"):
        cs.trajectories(cs.KleinKramers(jnp.sin, 1.0, 1.0, boundary=cs.Closed()), KEY, n=16)
    empty = cs.KleinKramers(jnp.cos, 1.0, 1.0, boundary=cs.Open(-1.0, 1.0, right=0.0))
    with pytest.raises(cs.InputError, match="infinite chemical potential"):
        cs.trajectories(empty, KEY, n=16)


def test_particles_in_equilibrium_are_so_at_once():
    """Behind a barrier of many temperatures no transient is waited for: wells are filled as they should be."""
    wells = cs.KleinKramers(
        lambda x: 30 * (x * x - 1) ** 2 + x / 2, friction=1.0, temperature=1.0, boundary=cs.Closed()
    )
    t = cs.trajectories(wells, jax.random.key(3), n=512, time=0.5, keep=512, stride=16)
    ends = np.asarray(t.positions)[:, -1, 0]
    x = np.linspace(-2, 2, 4001)
    weight = np.exp(-30 * (x * x - 1) ** 2 - x / 2)
    left = weight[x < 0].sum() / weight.sum()
    assert np.mean(ends < 0) == pytest.approx(left, abs=4 * np.sqrt(left * (1 - left) / len(ends)))
    assert abs(float(t.heat["bath"])) < 4 * t.error.heat["bath"]
