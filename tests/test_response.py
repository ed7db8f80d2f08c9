"""Linear response against closed forms, and against the fluctuations in equilibrium."""

import dataclasses

import mpmath as mp
import numpy as np
import pytest

import coldspot as cs
from coldspot.solution import Status
from tests.tolerance import assert_close

T, LEVEL, GAMMA = 2.0, 4.0, 1.0


def current(entry, *x):
    """Heat and particles from left and right of a level, from Fermi functions alone; x = (T_l, T_r, μ_l, μ_r)."""
    left, right = (1 / (mp.exp((LEVEL - mu) / t) + 1) for t, mu in zip(x[:2], x[2:], strict=True))
    flow = GAMMA * (left - right) * (-1) ** (entry % 2)
    return flow if entry > 1 else (LEVEL - x[2 + entry]) * flow


def derivative(entry, *places):
    """That of an entry by the numbers at these places, to 30 digits."""
    with mp.workdps(30):
        x = tuple(map(mp.mpf, (T, T, 0, 0)))
        return float(mp.diff(lambda *x: current(entry, *x), x, tuple(places.count(k) for k in range(4))))


@pytest.fixture(scope="module")
def response():
    """Of a dot, with second derivatives."""
    return cs.linear_response(cs.machines.QuantumDot(level=LEVEL), temperature=T, order=2)


def test_a_dot_has_the_response_of_its_fermi_functions(response):
    # Entries stand by bath, here heats first.
    order = [0, 2, 1, 3]
    expected = np.array([[derivative(e, k) for k in order] for e in order])
    np.testing.assert_allclose(response.derivatives, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    expected = np.array([[[derivative(e, k, m) for m in order] for k in order] for e in order])
    np.testing.assert_allclose(response.second, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    onsager = np.asarray(response.onsager)
    assert np.array_equal(onsager, onsager.T)
    assert np.linalg.eigvalsh(onsager).min() >= -1e-14 * np.trace(onsager)
    fermi = 1 / (np.exp(LEVEL / T) + 1)
    np.testing.assert_allclose(response.conductance, GAMMA * fermi * (1 - fermi) / T, rtol=1e-13)
    np.testing.assert_allclose(response.seebeck, -LEVEL / T, rtol=1e-13)
    np.testing.assert_allclose(response.peltier, T * response.seebeck, rtol=1e-13)
    # One level couples heat and particles tightly.
    assert abs(response.thermal_conductance) <= 1e-13 * LEVEL**2 * response.conductance / T
    assert response.coefficient(("heat", "left"), ("particles", "right")) == onsager[0, 3]
    assert response.status == Status.OK


def test_coefficients_of_datasets_are_in_si(response):
    # Beside the dot, which conducts no heat in an open circuit, something that does.
    heats = np.array([entry.quantity == "heat" for entry in response.entries])
    response = dataclasses.replace(response, derivatives=np.asarray(response.derivatives) + 0.3 * np.diag(heats))
    ds, plain = response.to_dataset(unit="meV"), response.to_dataset()
    volts = 1e-3
    siemens, kelvin = 1.602176634e-19**2 / 1.054571817e-34, volts * 1.602176634e-19 / 1.380649e-23
    for name, factor, unit in (
        ("conductance", siemens, "S"),
        ("seebeck", volts / kelvin, "V/K"),
        ("peltier", volts, "V"),
        ("thermal_conductance", volts**2 * siemens / kelvin, "W/K"),
        ("figure_of_merit", 1.0, "1"),
    ):
        assert ds[name].attrs["units"] == unit
        assert float(ds[name]) == pytest.approx(factor * float(plain[name]), rel=1e-9)


def test_a_single_level_conducts_no_heat_in_an_open_circuit_and_says_so():
    # Its heat and its particles flow together: κ is a difference of equal numbers, and ZT is no number of rounding.
    for level in (-3.1, 2.65329, 4.7):
        response = cs.linear_response(cs.machines.QuantumDot(level=level))
        assert float(response.thermal_conductance) == 0.0
        assert float(response.figure_of_merit) == np.inf
    assert f"conductance          {float(response.conductance):.5g}" in repr(response)
    assert "figure of merit ZT   inf" in repr(response)


def test_response_is_half_the_noise_in_equilibrium():
    """Fluctuations and dissipation: L = covariance/2, of three baths, one of which exchanges no particles."""
    leads = {"left": cs.ElectronBath(T, 0.3), "right": cs.ElectronBath(T, 0.3), "phonons": cs.BosonBath(T)}
    net = cs.JumpNetwork(
        energies=[0.0, 0.7, 1.9],
        occupations=[0, 1, 1],
        baths=leads,
        channels=[
            cs.Channel("left", [0, 0], [1, 2], cs.Tunnelling([0.1, 0.5])),
            cs.Channel("right", [0, 0], [1, 2], cs.Tunnelling([0.8, 0.2])),
            cs.Channel("phonons", 1, 2, cs.Bosonic(0.3)),
        ],
    )
    response = cs.linear_response(net)
    assert (float(response.temperature), float(response.chemical_potential)) == (T, 0.3)
    noise = np.asarray(cs.counting(net, list(response.entries)).covariance())
    np.testing.assert_allclose(response.onsager, noise / 2, rtol=0, atol=1e-13 * noise.max())
    with pytest.raises(cs.InputError, match="between two electron leads alone"):
        _ = response.seebeck
    assert response.to_dataset().onsager.dims == ("flux", "force")


def test_what_has_no_equilibrium_is_refused():
    with pytest.raises(cs.InputError, match=r"driven \(field\)"):
        cs.linear_response(cs.machines.ThreeLevelMaser())
    with pytest.raises(cs.InputError, match="driven"):
        cs.linear_response(cs.machines.SpinPair())
    with pytest.raises(cs.InputError, match="cannot be changed one by one"):
        cs.linear_response(cs.machines.KramersBarrier())
    with pytest.raises(cs.InputError, match="`order` must be 1 or 2"):
        cs.linear_response(cs.machines.QuantumDot(), order=3)
    with pytest.raises(cs.SolveError, match="INVALID"):
        cs.linear_response(cs.machines.QuantumDot(level=LEVEL), temperature=-1.0, order=2)


def test_a_flux_between_three_leads_turns_the_matrix_over():
    """L(Φ) = L(−Φ)ᵀ; without a flux L is symmetric; what an open lead lets through follows from all of L."""

    def found(flux):
        hop = 0.4 * np.exp(1j * flux)
        matrix = np.array([[0.1, 0.5, hop], [0.5, 0.2, 0.3], [np.conj(hop), 0.3, -0.3]])
        leads = {
            name: cs.WideBandLead(sites=k, gamma=0.3 + 0.1 * k, bath=cs.ElectronBath(0.5))
            for k, name in enumerate("abc")
        }
        return cs.linear_response(cs.Conductor(hamiltonian=matrix, leads=leads))

    response = found(0.7)
    with_flux, still = np.asarray(response.onsager), np.asarray(found(0.0).onsager)
    assert np.abs(with_flux - with_flux.T).max() > 1e-2 * np.abs(with_flux).max()
    assert_close(with_flux, np.asarray(found(-0.7).onsager).T, 1e-12)
    assert_close(still, still.T, 1e-15)
    # b is open: of all forces on it those by which nothing flows there.
    two = response.between("a", "c")
    kept, open_ = [0, 1, 4, 5], [2, 3]
    for k, column in enumerate(kept):
        forces = np.zeros(6)
        forces[column] = 1.0
        forces[open_], *_ = np.linalg.lstsq(with_flux[np.ix_(open_, open_)], -with_flux[open_, column])
        assert_close(np.asarray(two.onsager)[:, k], (with_flux @ forces)[kept], 1e-12, np.abs(with_flux).max())
    assert_close(two.conductance, np.asarray(two.onsager)[1, 1] / 0.5, 1e-12)
    assert np.all(np.asarray(two.errors) < 1e-12 * np.abs(with_flux).max())
    assert cs.Status(int(two.status)) is cs.Status.OK
    poor = dataclasses.replace(response, errors=1e9 * response.errors).between("a", "c")
    assert cs.Status(int(poor.status)) is cs.Status.NOT_CONVERGED
    loose = response.onsager.at[2:4, 2:4].set(1.0)  # heat and particles of b as if one told the other
    assert cs.Status(int(dataclasses.replace(response, onsager=loose).between("a", "c").status)) is cs.Status.NOT_UNIQUE
    with pytest.raises(cs.InputError, match=r"two electron leads alone.*`.between\('a', 'b'\)`"):
        _ = response.conductance
    with pytest.raises(cs.InputError, match=r"bath.*x"):
        response.between("a", "x")
    with pytest.raises(cs.InputError, match="both are 'a'"):
        response.between("a", "a")


def test_a_lead_that_gives_heat_but_no_particles_is_no_failure():
    """Particles of the gate are known to the rounding of what flows elsewhere; the rest is symmetric to its digits."""
    response = cs.linear_response(cs.machines.CoulombCoupledDots(gamma_left_filled=0.05, gamma_right_empty=0.03))
    matrix = np.asarray(response.onsager)
    k = [(e.quantity, e.bath) for e in response.entries].index(("particles", "gate"))
    assert np.max(np.abs(matrix[k])) <= 1e-15 * np.max(np.abs(matrix))
    others = np.delete(np.delete(matrix, k, 0), k, 1)
    sizes = np.sqrt(np.diagonal(others))
    assert np.all(np.abs(others - others.T) <= 1e-12 * sizes[:, None] * sizes)


@pytest.mark.parametrize("second", [0.0, 1e-200])
def test_a_closed_lead_leaves_nothing_to_respond(second):
    rates = {"hot": cs.Glauber(0.1), "cold": cs.Glauber(second)}
    net = cs.JumpNetwork(
        [0.0, 1.0], {name: cs.HeatBath(2.0) for name in rates}, [cs.Channel(name, 0, 1, rates[name]) for name in rates]
    )
    response = cs.linear_response(net)
    # One bath alone takes back what it gives: all that stands there are rates of zero, or of 1e-200.
    assert np.all(np.abs(response.onsager) <= np.maximum(second, response.errors))
    assert np.all(response.errors <= 1e-139)
