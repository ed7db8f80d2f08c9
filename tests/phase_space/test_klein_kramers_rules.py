"""What `KleinKramers` refuses, in words; and statuses where only a solve can tell."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs

PI = math.pi
ENDS = {
    "ring": cs.Periodic(2 * PI, start=-PI),
    "open": cs.Open(-PI, PI, left=1.0, right=0.5),
    "closed": cs.Closed(),
}


def problem(potential=lambda x: 1 + jnp.cos(x), friction=1.0, temperature=1.0, ends="ring", **options):
    return cs.KleinKramers(
        potential, friction, temperature, boundary=ENDS.get(ends, ends) if isinstance(ends, str) else ends, **options
    )


HALVES = [0.5, 0.5]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: problem(potential=3.0), "`potential` must be a function"),
        (lambda: problem(potential=lambda x: jnp.stack([x, x])), r"`potential` must return one number.*shape \(2,\)"),
        (lambda: problem(friction=-1.0), "`friction` must be positive and finite, but is -1"),
        (lambda: problem(friction=[1.0, 2.0]), "`friction` must have shape"),
        (lambda: problem(temperature=cs.Steps([1.0, 0.0], HALVES), baths=("a", "b")), "`temperature` must be positive"),
        (lambda: problem(temperature=cs.Steps([1.0, 2.0], HALVES)), "`baths` must name the 2 regions"),
        (lambda: problem(baths=("a", "b")), "`baths` must name the 1 region "),
        (lambda: problem(temperature=cs.Steps([1.0, 2.0], HALVES), baths="aa"), "`baths` must name the 2 regions"),
        (lambda: problem(temperature=cs.Steps([1.0, 2.0], HALVES), baths=("a", "a")), "the same in all regions"),
        (lambda: problem(temperature=cs.Cosine(1.0)), "`temperature` must be a number, Steps or a function"),
        (lambda: problem(mass=0.0), "`mass` must be positive"),
        (lambda: problem(ends=None), "`boundary` is missing"),
        (lambda: problem(ends="sealed"), "`boundary` must be a Boundary"),
        (lambda: problem(ends="open", baths="left"), "`baths` names `left`"),
        (
            lambda: problem(temperature=cs.Steps([1.0, 2.0], HALVES), ends="closed", baths=("a", "b")),
            "no ends to share",
        ),
        (lambda: problem(cooled_bath="cold"), "`cooled_bath` is `cold`"),
        (lambda: cs.Open(1.0, 0.0), "`start` must lie left of `stop`"),
        (lambda: cs.Open(0.0, 1.0, left=0.0, right=0.0), "`left` or `right` must be positive, but both are 0"),
        (lambda: cs.Open(0.0, 1.0, left=-1.0), "`left` must be not negative"),
        (lambda: cs.Closed(0.0), "give both `start` and `stop`"),
        (lambda: cs.Closed(1.0, 0.0), "`start` must lie left of `stop`"),
        (lambda: cs.Periodic(0.0), "`length` must be positive"),
        (lambda: problem().relaxation_rates(2), "are those of the boundary Closed"),
        (lambda: problem(potential=lambda x: 0.3 * x + jnp.cos(x)).state(), "the same after one turn.*`load`"),
        (
            lambda: problem(potential=lambda x: jnp.where(jnp.abs(x - 1) < 0.2, jnp.nan, jnp.cos(x))).state(),
            r"`potential` is nan near x = 0\.8",
        ),
        (lambda: problem(potential=lambda x: -x * x, ends="closed").state(), "does not confine"),
        (lambda: problem(potential=lambda x: x * x + 1 / (x - 1), ends=cs.Closed(0.0, 1.0)).state(), "not smooth near"),
        (lambda: problem(potential=lambda x: jnp.sqrt(x), ends="open").state(), "`potential` is nan near x = -3.0"),
        (
            lambda: problem(
                lambda x: (x * x - 1) ** 2, temperature=lambda x: jnp.maximum(x, 0.0), ends="closed"
            ).state(),
            "`temperature` must be positive everywhere, but is 0",
        ),
        (lambda: problem(friction=lambda x: jnp.sin(x)).state(), "`friction` must be positive everywhere, but is -"),
        (
            lambda: problem(potential=lambda x: jnp.where(x < 0.3, 0.0, 1.0), ends="open").state(),
            "not smooth near x = ",
        ),
        # Kinks and steps where panels meet are in no panel.
        (lambda: problem(potential=lambda x: jnp.abs(x), ends=cs.Closed(-2.0, 2.0)).state(), "not smooth near x = "),
        (lambda: problem(potential=lambda x: jnp.abs(jnp.sin(x / 2))).state(), "not smooth near x = "),
        (lambda: problem(potential=lambda x: jnp.where(x > 0, 1.0, 0.0), ends="open").state(), "not smooth near x = "),
        (lambda: problem(temperature=lambda x: 1 + 0.1 * jnp.abs(x)).state(), "not smooth near x = "),
        (lambda: problem(potential=lambda x: x * x - 1 / jnp.abs(x), ends="closed").state(), "is -inf near x = 0"),
        # No wall, but a well that is cut where particles are.
        (
            lambda: problem(potential=lambda x: jnp.where(x > 1, jnp.nan, x * x), ends="closed").state(),
            "nan near x = 1.0",
        ),
        (lambda: problem(potential=lambda x: jnp.sqrt(x + 2) + x * x, ends="closed").state(), "nan near x = -2.0"),
    ],
)
def test_bad_input(build, words):
    with pytest.raises(cs.InputError, match=words):
        build()


def test_batches_mark_what_constructors_refuse():
    """One compiled sweep: negative temperatures, frictions and densities, empty ends, an end before the start, and

    potentials that are no number."""

    def build(kind, value):
        return cs.KleinKramers(
            lambda x: 1 + jnp.cos(x) + jnp.where(kind == 0, value, 0.0),
            friction=jnp.where(kind == 1, value, 1.0),
            temperature=jnp.where(kind == 2, value, 1.0),
            boundary=cs.Open(-PI, jnp.where(kind == 4, value, PI), left=jnp.where(kind == 3, value, 1.0), right=1.0),
        )

    points = {"kind": [0, 0, 1, 2, 3, 3, 4, 3], "value": [0.0, np.nan, -1.0, -2.0, 0.0, -1.0, -4.0, 2.0]}
    ds = cs.sweep(
        build, [dict(zip(points, row, strict=True)) for row in zip(*points.values(), strict=True)], tolerance=1e-5
    )
    names = [cs.Status(int(code)).name for code in ds.status.values]
    assert names == ["OK", "NOT_FINITE", *["INVALID"] * 5, "OK"]
    # Equal densities are equilibrium.
    assert abs(float(ds.particles.values[0, 1])) < 1e-10
    assert float(ds.particles.values[-1, 1]) > 1e-4


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"potential": lambda x: -x * x, "ends": "closed"}, "UNSTABLE", "does not confine"),
        ({"potential": lambda x: x * x - x**3 / 3, "ends": "closed"}, "UNSTABLE", "does not confine"),
        ({"potential": lambda x: jnp.cos(x / 2)}, "INVALID", "the same after one turn"),
        ({"ends": cs.Open(-1.0, 1.0, left=1.0, right=0.0)}, "INVALID", "no particles come in"),
        ({"potential": lambda x: jnp.abs(x - 0.3), "ends": "open"}, "NOT_CONVERGED", "not smooth near x = 0."),
        (
            {"potential": lambda x: 1e5 * (x * x - 1) ** 2, "ends": "closed"},
            "NOT_FINITE",
            "more than 1400 temperatures",
        ),
    ],
)
def test_words_on_statuses(options, status, words):
    with pytest.raises(cs.SolveError, match=f"{status}.*{words}"):
        cs.steady_state(problem(**options), tolerance=1e-5)


def test_derivatives_are_refused_in_words():
    def heat(load):
        ring = problem(ends=cs.Periodic(2 * PI, load=load, start=-PI))
        return cs.steady_state(ring, tolerance=1e-3).heat["bath"]

    with pytest.raises(cs.InputError, match=r'derivatives of its steady state.*`method="evolution"`'):
        jax.grad(heat)(0.5)


@pytest.mark.parametrize("place", [1.0, 2.1234])
def test_what_stands_between_the_samples_is_not_passed_over(place):
    def spike(x):
        return jnp.exp((jnp.cos(x - place) - 1) / 1e-4**2)

    ring = cs.Periodic(2 * np.pi, load=0.2)
    high = cs.KleinKramers(lambda x: 0.3 * jnp.cos(x) + 2 * spike(x), friction=3.0, temperature=0.7, boundary=ring)
    rough = cs.KleinKramers(jnp.cos, friction=lambda x: 3.0 + 5e4 * spike(x), temperature=0.7, boundary=ring)
    for problem in (high, rough):
        s = cs.steady_state(problem, throw=False)
        assert int(s.status) == cs.Status.NOT_CONVERGED
        with pytest.raises(cs.SolveError, match="too narrow there"):
            cs.steady_state(problem)
    closed = cs.KleinKramers(
        lambda x: 2 * (x**2 - 1) ** 2 + 3 * jnp.exp(-0.5 * ((x - 0.1234) / 3e-4) ** 2),
        friction=1.0,
        temperature=1.0,
        boundary=cs.Closed(),
    )
    with pytest.raises(cs.InputError, match="too narrow there"):
        cs.escape_rate(closed)


def test_a_feature_a_three_hundredth_of_a_ring_wide_is_read_from_samples():
    width = 0.02

    def height(x, cos, exp):
        return cos(x) + 1.5 * exp(-(1 - cos(x - 1)) / width**2)

    terrain = problem(potential=lambda x: height(x, jnp.cos, jnp.exp)).terrain()
    x = np.linspace(terrain.edges[0], terrain.edges[-1], 40_001)
    read, wanted = terrain.read(x)[0], height(x, np.cos, np.exp)
    assert np.abs(read - read[0] - (wanted - wanted[0])).max() < 1e-6


@pytest.mark.parametrize("name", ["friction", "temperature"])
def test_a_ring_closes(name):
    """What differs between its ends is refused with both values; what bends or jumps there, with the place."""
    slanting = problem(**{name: lambda x: 1.3 + 0.1 * x})
    words = rf"`{name}` must be the same at both ends of a ring.* is 0.985840735 at x = -3.14159 and 1.61415927 at"
    with pytest.raises(cs.SolveError, match=words) as refused:
        cs.steady_state(slanting)
    assert refused.value.status == cs.Status.INVALID
    for ask in (
        lambda: cs.trajectories(slanting, jax.random.key(1), n=16, time=1.0),
        lambda: cs.evolve(slanting, lambda x, v: np.exp(-v * v / 2 + 0 * x), [0.0, 1.0]),
        lambda: slanting.state(),
        lambda: slanting.overdamped(),
    ):
        with pytest.raises(cs.InputError, match=words):
            ask()
    for bent in (lambda x: 1 + 0.1 * jnp.mod(x + PI, 2 * PI), lambda x: 1 + 0.01 * (PI * PI - x * x)):
        with pytest.raises(cs.SolveError, match=r"not smooth near x = -3.14159"):
            cs.steady_state(problem(**{name: bent}))
    # In batches it is a status; what is the same is solved, and so are steps, which have an edge there.
    found = cs.sweep(lambda a: problem(**{name: lambda x: 1.3 + a * x}), {"a": [0.0, 0.1]}, tolerance=1e-4)
    assert found.status.values.tolist() == [cs.Status.OK, cs.Status.INVALID]
    assert cs.steady_state(problem(**{name: lambda x: 1.3 + 0.1 * jnp.sin(x)}), tolerance=1e-4).ok
    options = {name: cs.Steps([1.0, 1.2], HALVES)} | ({"baths": ("a", "b")} if name == "temperature" else {})
    assert cs.steady_state(problem(**options), tolerance=1e-4).ok


@pytest.mark.parametrize(("place", "slope"), [(0.123456, 2.0), (-0.6, 3.0)])
def test_kinks_within_the_tolerance_are_part_of_the_error(place, slope):
    """In a box between two temperatures, against rounded kinks; refused where the tolerance is below what is missed."""
    box = {"temperature": cs.Steps([1.0, 1.5], HALVES), "baths": ("a", "b"), "ends": cs.Closed(-1.0, 1.0)}
    kinked = problem(lambda x: slope * jnp.abs(x - place), **box)
    s = cs.steady_state(kinked, tolerance=1e-3)
    wide, narrow = (
        cs.steady_state(problem(lambda x, e=e: slope * jnp.hypot(x - place, e), **box), tolerance=1e-4).heat["b"]
        for e in (0.02, 0.01)
    )
    # What is left of a rounding falls by 3 to 4 with each half of its width.
    assert abs(s.heat["b"] - narrow) <= s.error.heat["b"] + abs(wide - narrow)
    assert s.error.heat["b"] < 1e-3 * s.heat["b"]
    with pytest.raises(cs.SolveError, match=f"not smooth near x = {place:.2f}"[:22]):
        cs.steady_state(kinked)
