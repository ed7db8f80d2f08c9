"""Escape and relaxation rates against orthogonal polynomials, closed forms of linear motion, and simpler theories."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import eigh

import coldspot as cs
from coldspot.numerics.one_thread import one_thread
from coldspot.phase_space import escape, relaxation, stationary, turnover, wells, whole
from coldspot.phase_space.space import Space
from tests.tolerance import assert_close


def quartic(x):
    return 5 * (x * x - 1) ** 2


def double_well(friction, temperature=1.0, mass=1.0):
    return cs.KleinKramers(quartic, friction=friction, temperature=temperature, mass=mass, boundary=cs.Closed())


def three_wells(tilt):
    return cs.KleinKramers(lambda x: 20 * x**2 * (x**2 - 1) ** 2 + tilt * x, 1.0, 1.0, boundary=cs.Closed())


def test_a_third_well_that_is_easy_to_leave():
    """Dimples of T/2 at the bottoms: the rate is what a flux over the top, and all other relaxation, say."""
    rough = cs.KleinKramers(lambda x: quartic(x) + 0.3 * jnp.cos(20 * x), 1.0, 1.0, boundary=cs.Closed())
    found = cs.escape_rate(rough, tolerance=1e-4)
    first, second = rough.relaxation_rates(2, tolerance=1e-4).real
    assert abs(2 * float(found) / first - 1) < 1e-3
    assert second > 20 * first


def test_rates_of_a_symmetric_well():
    """Rates that polynomials orthogonal in e^{−V/T} × Hermite functions gave, in one call for several frictions."""
    found = cs.escape_rate(double_well(1.0), friction=[100.0, 10.0, 1.0], tolerance=1e-9)
    expected = np.array([2.7716009630241e-4, 2.423746970595e-3, 4.77275769417e-3])
    assert np.all(np.abs(found.rate / expected - 1) < 1e-10)
    # It prints a row for each friction, and is plain numbers for programs.
    assert "3 escape rates" in repr(found)
    assert "Mel’nikov–Meshkov" in found._repr_html_()
    kept = json.loads(json.dumps(found.record()))
    assert kept["status"] == ["OK"] * 3
    assert kept["rate"] == found.rate.tolist()
    one = escape.EscapeRate(*(np.asarray(value)[..., 1] for value in vars(found).values()))
    assert f"0.00242375 ± {float(one.error):.0e}" in repr(one)
    assert one.record()["rate"] == float(one)
    # The errors stated are no smaller than the true ones, of which some ten digits are known.
    assert np.all(np.abs(found.rate - expected) <= found.error + 2e-11 * expected)
    assert np.all(np.abs(found.left_to_right / found.rate - 1) < 1e-9)
    assert found.transition_state[0] == pytest.approx(6.445713e-3, rel=2e-7)
    # V″ = 40 and −20 at bottom and top: ω = √20, and Kramers' factor.
    half = np.array([100.0, 10.0, 1.0]) / (2 * math.sqrt(20))
    assert_close(found.kramers / found.transition_state, np.sqrt(1 + half**2) - half, 1e-5)
    # Theories are right to a few T/E_B; without depopulation weak friction is far off.
    assert np.all(np.abs(found.melnikov_meshkov / found.rate - 1) < 0.2)


def test_weak_friction_needs_depopulation():
    """The rate of another trial, of eight digits."""
    found = cs.escape_rate(double_well(0.1), tolerance=1e-7)
    assert abs(float(found) - 1.0990046e-3) <= found.error + 5e-8 * 1.0990046e-3
    assert found.kramers > 5 * found.rate
    assert abs(found.melnikov_meshkov / found.rate - 1) < 0.2


def test_a_turnover_in_one_call():
    """Frictions from .05 to 100: those of other tests, and each against elements or polynomials of its own."""
    known = {0.1: 1.0990046e-3, 1.0: 4.77275769417e-3, 10.0: 2.423746970595e-3, 100.0: 2.7716009630241e-4}
    frictions = np.concatenate([np.geomspace(0.05, 100, 40), list(known)])
    found = cs.escape_rate(double_well(1.0), friction=frictions, tolerance=1e-4)
    assert found.rate.shape == frictions.shape
    for friction, rate in known.items():
        (k,) = np.flatnonzero(frictions == friction)[-1:]
        assert abs(found.rate[k] - rate) <= found.error[k] + 5e-8 * rate <= 1.1e-4 * rate
    # A point between others, alone and to more digits.
    alone = cs.escape_rate(double_well(float(frictions[13])), tolerance=1e-7)
    assert abs(found.rate[13] - alone.rate) <= found.error[13] + alone.error


def test_elements_and_polynomials_agree_at_weak_friction():
    """Two bases in the velocity, and the slope that both give, against a difference."""
    terrain = double_well(0.1).terrain()
    with one_thread():
        by_elements = relaxation._slowest(relaxation._elements(terrain, 0, 6.0, relaxation.Weak(0.6, 5.0), 0.0), 0.0)
        chain = relaxation._slowest(relaxation._inverse(terrain, 6, 0.0), 0.0)
        other = relaxation._slowest(relaxation._inverse(terrain.with_friction(0.101), 6, 0.0), 0.0)
    assert by_elements[0] == pytest.approx(chain[0], rel=1e-6)
    assert by_elements[2] == pytest.approx(chain[2], rel=1e-5)
    slope = math.log(other[0] / chain[0]) / math.log(1.01)
    assert (chain[2] + other[2]) / 2 == pytest.approx(slope, rel=1e-6)


def test_interpolation_between_frictions():
    """A known law: few are solved, all are right, and what cannot be interpolated is solved."""
    asked = []

    def law(slopes):
        def solve(frictions):
            asked.extend(frictions)
            g = np.asarray(frictions)
            slope = (1 - g) / (1 + g) if slopes else np.full(g.shape, np.nan)
            return [turnover.Point(r, 1e-12, s, True, np.ones(2)) for r, s in zip(g / (1 + g) ** 2, slope, strict=True)]

        return solve

    g = np.geomspace(1e-3, 1e3, 200)
    found = turnover.interpolated(g, law(True), 1e-6)
    true = g / (1 + g) ** 2
    off = np.abs([p.rate for p in found] / true - 1)
    assert len(asked) < 70
    assert np.all(off <= [p.error for p in found])
    assert off.max() < 1e-6
    asked.clear()
    assert len(turnover.interpolated(g, law(False), 1e-6)) == len(asked) == 200


def test_what_is_not_as_exact_as_asked_is_said(monkeypatch):
    monkeypatch.setattr(relaxation, "MOST_WEAK", 9000)
    with pytest.raises(cs.SolveError, match=r"NOT_CONVERGED.*weak friction"):
        cs.escape_rate(double_well(1e-3), friction=[1e-3], tolerance=1e-9)


def test_half_a_symmetric_well_is_the_whole():
    """The odd part on one half, and all densities on both: two meshes; a well that leans is not taken for symmetric."""
    terrain = double_well(0.5).terrain()
    assert relaxation.symmetric_about(terrain, 0.0) == pytest.approx(0.0, abs=1e-12)
    with one_thread():
        half, whole = (relaxation._inverse(terrain, 4, centre) for centre in (0.0, None))
        rates = [relaxation._slowest(inverse, 0.0)[0] for inverse in (half, whole)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)
    leaning = cs.KleinKramers(lambda x: quartic(x) + 1e-6 * x, 1.0, 1.0, boundary=cs.Closed()).terrain()
    assert relaxation.symmetric_about(leaning, 0.0) is None
    uneven = double_well(lambda x: 1 + 0.1 * jnp.tanh(x)).terrain()
    assert relaxation.symmetric_about(uneven, 0.0) is None


def test_one_way_rates_of_unequal_wells():
    """They add up to the slowest relaxation rate, and detailed balance holds between the wells."""
    problem = cs.KleinKramers(
        lambda x: quartic(x) + 0.5 * x, friction=2.0, temperature=1.0, boundary=cs.Closed(), mass=2.0
    )
    found = cs.escape_rate(problem, tolerance=1e-8)
    x = np.linspace(-2.3, 2.3, 400001)
    weight = np.exp(-(quartic(x) + 0.5 * x))
    left = weight[x < found.top].sum() / weight.sum()
    assert found.top == pytest.approx(float(np.roots([20, 0, -20, 0.5])[2]), abs=1e-7)
    assert found.left_to_right / found.right_to_left == pytest.approx((1 - left) / left, rel=1e-4)
    assert found.left_to_right + found.right_to_left == pytest.approx(problem.relaxation_rates(1)[0].real, rel=1e-7)


def test_scaling():
    """Mass, temperature and friction scaled so that the motion is only slower: V/T and γ√m/√T stay."""
    slow = cs.KleinKramers(
        lambda x: 2 * quartic(x), friction=1.0 / math.sqrt(2), temperature=2.0, mass=4.0, boundary=cs.Closed()
    )
    assert float(cs.escape_rate(slow, tolerance=1e-8)) == pytest.approx(4.77275769417e-3 / math.sqrt(2), rel=1e-8)


def test_two_routes_where_friction_depends_on_the_place():
    """Hermite polynomials with odd functions eliminated, and elements in velocity with all unknowns."""
    problem = double_well(lambda x: 1 + 0.5 * x * x)
    terrain = problem.terrain()
    rung = stationary.SMOOTH[2]
    space = Space(terrain, stationary.mesh_of(terrain, rung, 2))
    by_all = relaxation._slowest(whole.Whole(space, stationary.velocity_of(terrain, rung)), 0.0)[0]
    assert float(cs.escape_rate(problem, tolerance=1e-7)) == pytest.approx(by_all / 2, rel=1e-6)


def test_steps_of_equal_friction_are_no_steps():
    """Steps make the method use all unknowns; between walls that nobody reaches."""
    problem = cs.KleinKramers(
        quartic, friction=cs.Steps([1.0, 1.0], [0.4, 0.6]), temperature=1.0, boundary=cs.Closed(-2.0, 2.0)
    )
    assert float(cs.escape_rate(problem, tolerance=1e-5)) == pytest.approx(4.77275769417e-3, rel=1e-5)


@pytest.mark.parametrize("friction", [0.5, 3.0])
def test_relaxation_of_a_harmonic_trap(friction):
    """n λ₊ + k λ₋ with λ± = γ/2 ± √(γ²/4−ω²)."""
    trap = cs.KleinKramers(lambda x: 2 * x * x, friction=friction, temperature=0.3, mass=4.0, boundary=cs.Closed())
    root = np.sqrt(complex(friction**2 / 4 - 1))
    plus, minus = friction / 2 + root, friction / 2 - root
    expected = [n * plus + k * minus for n in range(6) for k in range(6) if 0 < n + k < 6]
    found = trap.relaxation_rates(4, tolerance=1e-7)
    for rate in found:
        assert min(abs(rate - other) for other in expected) < 1e-7 * abs(found[-1])
    assert abs(found[0].real - min(e.real for e in expected)) < 1e-7


def test_depopulation_of_strong_and_weak_loss():
    """Υ → 1 for a large loss, and Υ(δ) → δ e^{…} as the loss goes to zero: Υ(δ)/δ tends to 1."""
    assert wells._depopulation(60.0) == pytest.approx(1.0, abs=1e-6)
    assert wells._depopulation(1e-4) / 1e-4 == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: cs.escape_rate(cs.KleinKramers(lambda x: x**2, 1.0, 1.0, boundary=cs.Closed())), "one well"),
        (lambda: cs.escape_rate(three_wells(0.0)), r"third well, at x = -?1\.000\d*, 2\.96 temperatures deep"),
        (lambda: cs.escape_rate(three_wells(1.0)), r"third well, at x = 0\.99\d*, 2\.5\d temperatures deep"),
        (
            lambda: cs.escape_rate(cs.KleinKramers(jnp.cos, 1.0, 1.0, boundary=cs.Periodic(2 * math.pi))),
            "must have the boundary Closed",
        ),
        (lambda: cs.escape_rate(double_well(1.0), friction=[1.0, -1.0]), "`friction` must be positive"),
        (lambda: cs.escape_rate("well"), "`problem` must be a KleinKramers"),
        (
            lambda: cs.escape_rate(cs.KleinKramers(quartic, 1.0, 1.0, boundary=cs.Closed(-1.0, 2.0))),
            "the wall `start` of the boundary, at x = -1, cuts the left well: the potential there is 5 below",
        ),
        (lambda: double_well(1.0).relaxation_rates(0), "`count` must be an integer"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(cs.InputError, match=words):
        build()


def test_barriers_of_many_temperatures():
    """Against the overdamped equation's double integral, and Mel'nikov and Meshkov's theory, far below rounding."""
    height, friction = 40.0, 100.0
    steep = cs.KleinKramers(lambda x: height * (x * x - 1) ** 2, friction, 1.0, boundary=cs.Closed())
    found = cs.escape_rate(steep, friction=[3.0, 100.0], tolerance=1e-3)
    assert np.all(found.status == cs.Status.OK)
    # Corrections to the theory at a barrier are of the first order in T over its height, and small at weaker friction.
    assert abs(found.melnikov_meshkov[0] / found.rate[0] - 1) < 1e-3
    # λ₁ = (∫₀ e^V dx ∫_x e^{−V} dy)⁻¹/γ up to e^{−ΔV}, and streaming adds κ's (ω/γ)² to it: ω² = 4·40 at the top.
    x = np.linspace(0, 1.6, 20001)
    v = height * (x * x - 1) ** 2
    step = x[1] - x[0]
    cells = (np.exp(-v[1:]) + np.exp(-v[:-1])) * step / 2
    beyond = np.append(np.cumsum(cells[::-1])[::-1], 0.0)
    first_passage = np.trapezoid(np.exp(v) * beyond, x)
    overdamped = 1 / (2 * friction * first_passage)
    ratio = (4 * height) / friction**2
    assert abs(found.rate[1] / overdamped - (1 - ratio + 2 * ratio**2)) < 1e-3


def test_a_high_barrier_between_unequal_wells():
    """The sum of both rates, and of a mirrored problem; relaxation beyond what rounding leaves is refused in words."""
    leaning = [
        cs.KleinKramers(lambda x, s=s: 30 * (x * x - 1) ** 2 + s * x, 10.0, 1.0, boundary=cs.Closed()) for s in (2, -2)
    ]
    one, other = (cs.escape_rate(problem, tolerance=1e-3) for problem in leaning)
    assert one.left_to_right == pytest.approx(float(other.right_to_left), rel=1e-4)
    assert abs(one.melnikov_meshkov / one.rate - 1) < 1e-2
    with pytest.raises(cs.SolveError, match=r"NOT_CONVERGED.*escape_rate"):
        leaning[0].relaxation_rates(2)


def test_rates_below_rounding_are_said(monkeypatch):
    def fails(*_, **__):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(relaxation, "Reduced", fails)
    assert cs.escape_rate(double_well(3.0), throw=False).status == cs.Status.NOT_CONVERGED
    with pytest.raises(cs.SolveError, match=r"NOT_CONVERGED.*5 temperatures high.*melnikov_meshkov"):
        cs.escape_rate(double_well(3.0))


def energy_diffusion(height, count=60):
    """λ/2γ as friction vanishes: (S e^{−E}u′)′ = −λ S′e^{−E}u of a well's action S(E), u = 0 at the top (m = T = 1)."""
    turn = (np.arange(4000) + 0.5) * np.pi / 4000 - np.pi / 2

    def action(energy):
        root = np.sqrt(energy / height)[:, None]
        low, high = np.sqrt(np.maximum(1 - root, 0)), np.sqrt(1 + root)
        x, half = (low + high) / 2 + (high - low) / 2 * np.sin(turn), (high - low) / 2
        speed = np.sqrt(np.maximum(2 * (energy[:, None] - height * (x * x - 1) ** 2), 0))
        return 2 * (speed * half * np.cos(turn)).sum(1) * np.pi / 4000

    # Hat functions, closer to each other towards the top.
    edges = height * (1 - (1 - np.linspace(0, 1, count + 1)) ** 3)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    stiff, mass = np.zeros((2, count + 1, count + 1))
    for k in range(count):
        width = edges[k + 1] - edges[k]
        e = (edges[k] + edges[k + 1]) / 2 + width / 2 * nodes
        ends = e - 1e-3 * width, np.minimum(e + 1e-3 * width, height)
        slope = (action(ends[1]) - action(ends[0])) / (ends[1] - ends[0])
        hats, part = np.stack([edges[k + 1] - e, e - edges[k]]) / width, weights * width / 2 * np.exp(-e)
        stiff[k : k + 2, k : k + 2] += (part @ action(e)) / width**2 * np.array([[1, -1], [-1, 1]])
        mass[k : k + 2, k : k + 2] += (hats * part * slope) @ hats.T
    return eigh(stiff[:-1, :-1], mass[:-1, :-1], eigvals_only=True)[0] / 2


def test_meshes_too_coarse_for_weak_friction_say_so(monkeypatch):
    """Two meshes that both miss the thin layer at the barrier change little; the limit of no friction is far off."""
    monkeypatch.setattr(relaxation, "MOST_WEAK", 20_000)
    weak = cs.KleinKramers(lambda x: 3 * (x * x - 1) ** 2, friction=1e-6, temperature=1.0, boundary=cs.Closed())
    terrain = weak.terrain()
    loss = wells.loss(terrain, wells.find(terrain), 1.0)
    found = relaxation.slowest(terrain, 1e-2, 0.0, relaxation.Weak(loss, 3.0))
    limit = 2e-6 * energy_diffusion(3.0)
    assert 0.02 * limit < abs(found.rate - limit) < found.error
    assert not found.converged


def test_the_weakest_friction_is_diffusion_of_the_energy(monkeypatch):
    """The same limit by hat functions, in any units; the error stated holds what is known at stronger friction."""
    monkeypatch.setattr(relaxation, "slowest", lambda *arguments: pytest.fail("no mesh is to be solved"))
    scaled = cs.KleinKramers(
        lambda x: 0.3 * quartic(x / 2), friction=1e-9, temperature=0.3, mass=1.7, boundary=cs.Closed()
    )
    limit = 1e-9 * energy_diffusion(5.0, 240)
    for problem in (double_well(1e-9), scaled):
        found = cs.escape_rate(problem, tolerance=1e-6)
        assert float(found) == pytest.approx(limit, rel=2e-4)
        assert found.error < 1e-6 * limit
    known = 1.350985757514e-4
    found = cs.escape_rate(double_well(0.01), tolerance=0.1)
    assert 1e-3 * known < abs(found.rate - known) < found.error < 0.1 * known
    # Of a high barrier between unequal wells the depopulation is known in theory, to a part in its height.
    leaning = cs.KleinKramers(lambda x: 40 * (x * x - 1) ** 2 + x, 1e-6, 1.0, boundary=cs.Closed())
    high = cs.escape_rate(leaning, tolerance=1e-3)
    assert high.rate == pytest.approx(float(high.melnikov_meshkov), rel=0.05)
    assert high.left_to_right / high.right_to_left == pytest.approx(math.exp(-2), rel=0.01)


def test_friction_too_weak_for_a_tolerance_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(relaxation, "slowest", lambda *arguments: pytest.fail("no mesh is to be solved"))
    with pytest.raises(cs.SolveError, match=r"its error is .* the energy diffuses, to about that part"):
        cs.escape_rate(double_well(1e-6))
