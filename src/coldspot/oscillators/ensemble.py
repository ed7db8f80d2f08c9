"""Ensembles of trajectories of oscillator networks: averages with standard errors, heat per bath, work per force.

Each trajectory is a lane of an array, all of them take the same steps (see `scheme`), and the random numbers of a lane
depend on the key, the lane and the step alone (see `noise`), so that lanes may be cut into chunks of any size.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.random_numbers import normals
from ..solution import Status
from . import integrator as scheme

if TYPE_CHECKING:
    from .network import OscillatorNetwork

BLOCK = 16
"""Steps for which random numbers are made at once. All counts of steps are multiples of it."""
DYNAMICS, START = 0, 1
"""Streams of random numbers: of the motion, and of the initial state."""
FORGET = 12.0
"""Relaxation times after which a nonlinear network has forgotten that it started as a linear one: e^{−12} = 6·10⁻⁶."""
SAMPLES, REPETITIONS, WEIGHT = 128, 40, 0.2
"""Of the search for the equivalent linear network."""
DRIFT = 5.0
"""Halves that differ by more standard errors, or an energy balance further off, are no steady state."""
KURTOSIS = 30.0
"""Of derivatives over the trajectories, at most."""
TRAJECTORIES, MEASURED, LONGEST = 1024, 8192, 1 << 17
"""Size of the ensemble of `solve_ensemble`: trajectories, steps that are averaged, and most steps in all."""
KEY = (0x636F6C64, 0x73706F74)
"""Its key: the letters of coldspot."""
GOLDEN = (math.sqrt(5) - 1) / 2


class Plan(NamedTuple):
    """Time step, steps per period (BLOCK if nothing drives), and how many blocks are discarded, then averaged twice."""

    step: Array
    period: Array
    transient: Array
    half: Array


class State(NamedTuple):
    """Positions and velocities (n, lane) at the end of a step, and what a half has brought so far:

    heat per coordinate, work per drive (lane), Σx² and Σv².
    """

    x: Array
    v: Array
    heat: Array
    work: tuple[Array, ...]
    squares: Array
    speeds: Array


def model(network: "OscillatorNetwork", springs: Array | None = None) -> scheme.Model:
    """The numbers of a network, with its own springs or others in their place."""
    drives = list(network.drives.values())
    none = jnp.zeros(0)
    bath = jnp.stack([b.temperature for b in network.baths.values()])
    return scheme.Model(
        masses=network.masses,
        springs=network.springs if springs is None else springs,
        frictions=network.frictions,
        temperatures=jnp.where(np.array(network.bath_of) >= 0, bath[np.array(network.bath_of)], 0.0),
        amplitudes=jnp.stack([d.amplitude for d in drives]) if drives else none,
        phases=jnp.stack([d.phase for d in drives]) if drives else none,
        constants=jnp.stack([d.mean for d in drives]) if drives else none,
        frequency=jnp.zeros(()) if network.frequency is None else network.frequency,
        sites=np.array(network.driven, int),
    )


def energy(network: "OscillatorNetwork", x: Array) -> Array:
    """V = ½ Σ Φ_ij x_i x_j + U(x) of one position (n,)."""
    springs = x @ network.springs @ x / 2
    return springs if network.potential is None else springs + network.potential(x)


# --------------------------------------------------------------------------- the motion


class Motion(NamedTuple):
    """One network's steps."""

    network: Any
    plan: Plan
    decays: Array
    strengths: Array

    @classmethod
    def of(cls, network: "OscillatorNetwork", plan: Plan) -> "Motion":
        c, s = scheme.decay(model(network), plan.step)
        return cls(network, plan, c[:, None], s[:, None])

    def drives(self, block: Array) -> Array:
        """The forces (step, drive) of a block of steps."""
        m = model(self.network)
        index = (block * BLOCK + jnp.arange(BLOCK)) % self.plan.period
        phase = 2 * jnp.pi * index / self.plan.period
        return m.constants + m.amplitudes * jnp.cos(phase[:, None] + m.phases)

    def noise(self, key: Array, lanes: Array, block: Array) -> tuple[Array, Array]:
        """Normal numbers (step, half of the coordinates with a bath, lane), twice."""
        pairs = -(-sum(b >= 0 for b in self.network.bath_of) // 2)
        first, second = normals(key, DYNAMICS, lanes, block, BLOCK // 2 * pairs)
        return first.reshape(BLOCK, pairs, -1), second.reshape(BLOCK, pairs, -1)

    def force(self, x: Array) -> Array:
        """−∂V/∂x of all lanes."""
        pull = -(self.network.springs @ x)
        if self.network.potential is None:
            return pull
        return pull - jax.vmap(jax.grad(self.network.potential), in_axes=-1, out_axes=-1)(x)

    def advance(self, state: State, drives: Array, first: Array, second: Array) -> State:
        """One step; `drives` (drive,), `first` and `second` as from `noise`."""
        n, step = self.network.size, self.plan.step
        mass = self.network.masses[:, None]
        thermal = np.flatnonzero(np.array(self.network.bath_of) >= 0)
        random = jnp.concatenate([first, second])[: thermal.size]
        if thermal.size < n:
            random = jnp.asarray(np.eye(n)[:, thermal]) @ random
        pushes = np.arange(n)[:, None] == np.array(self.network.driven, int)
        u = state.v + step / mass * (self.force(state.x) + (pushes @ drives)[:, None])
        w = self.decays * u + self.strengths * random
        return State(
            x=state.x + step / 2 * (u + w),
            v=w,
            heat=state.heat + mass / 2 * (w - u) * (w + u),
            work=tuple(
                total + step / 2 * drives[d] * (state.v[i] + u[i])
                for d, (total, i) in enumerate(zip(state.work, self.network.driven, strict=True))
            ),
            squares=state.squares + state.x * state.x,
            speeds=state.speeds + (u * u + w * w) / 2,
        )

    def block(self, state: State, key: Array, lanes: Array, block: Array) -> State:
        """All steps of a block."""

        def one(state: State, given: Any) -> tuple[State, None]:
            return self.advance(state, *given), None

        return jax.lax.scan(one, state, (self.drives(block), *self.noise(key, lanes, block)))[0]


# --------------------------------------------------------------------------- the ensemble


class Start(NamedTuple):
    """The distribution from which trajectories start, at phase 0: a mean and a factor of the covariance, of (x, v)."""

    mean: Array
    factor: Array


class Result(NamedTuple):
    """Rates of each lane in the two halves, (half, quantity, lane), in the order heat per bath, work per drive,

    storage, ⟨x²⟩, ⟨v²⟩; the block in which each lane failed (−1 if in none); its state (2n, lane) before that or last.
    """

    rates: Array
    failed: Array
    last: Array


def _begin(network: "OscillatorNetwork", start: Start, key: Array, lanes: Array) -> State:
    n = network.size
    random = jnp.concatenate(normals(key, START, lanes, 0, -(-n // 2)))[: 2 * n]
    z = start.mean[:, None] + start.factor @ random
    still = jnp.zeros((n, *lanes.shape))
    return State(z[:n], z[n:], still, (still[0],) * len(network.drives), still, still)


def simulate(network: "OscillatorNetwork", plan: Plan, start: Start, key: Array, lanes: Array) -> Result:
    """Run the trajectories `lanes` of one network: the transient, then two halves that are averaged apart."""
    motion = Motion.of(network, plan)
    begin = _begin(network, start, key, lanes)

    def total(state: State) -> Array:
        kinetic = jnp.sum(network.masses[:, None] * state.v**2, axis=0) / 2
        return kinetic + jax.vmap(lambda x: energy(network, x), in_axes=-1)(state.x)

    def one(block: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, failed = carry
        new = motion.block(state, key, lanes, block)
        # What is not finite stays where it was, to be looked at.
        fine = jnp.all(jnp.isfinite(new.x), axis=0) & (failed < 0)
        kept = jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, state)
        return kept, jnp.where(fine | (failed >= 0), failed, block)

    def part(carry: tuple[State, Array], span: tuple[Array, Array]) -> tuple[tuple[State, Array], Array]:
        state, failed = carry
        state = State(state.x, state.v, *begin[2:])
        before = total(state)
        state, failed = jax.lax.fori_loop(span[0], span[1], one, (state, failed))
        steps = (span[1] - span[0]) * BLOCK
        after = total(state)
        failed = jnp.where(jnp.isfinite(after) | (failed >= 0), failed, span[1])
        flows = [jnp.asarray(network.members) @ state.heat, jnp.stack([*state.work, after - before])]
        sums = [a / (steps * plan.step) for a in flows] + [a / steps for a in (state.squares, state.speeds)]
        return (state, failed), jnp.concatenate(sums)

    marks = jnp.cumsum(jnp.stack([jnp.zeros_like(plan.half), plan.transient, plan.half, plan.half]))
    (state, failed), rates = jax.lax.scan(part, (begin, jnp.full(lanes.shape, -1)), (marks[:-1], marks[1:]))
    return Result(rates[1:], failed, jnp.concatenate([state.x, state.v]))


def record(
    network: "OscillatorNetwork", plan: Plan, start: Start, key: Array, lanes: Array, blocks: int
) -> tuple[Array, Array]:
    """Positions and velocities (step, n, lane) at the end of the transient and of each step that follows."""
    motion = Motion.of(network, plan)
    state = _begin(network, start, key, lanes)

    def step(state: State, given: Any) -> tuple[State, tuple[Array, Array]]:
        state = motion.advance(state, *given)
        return state, (state.x, state.v)

    def block(state: State, index: Array) -> tuple[State, tuple[Array, Array]]:
        return jax.lax.scan(step, state, (motion.drives(index), *motion.noise(key, lanes, index)))

    state = jax.lax.fori_loop(0, plan.transient, lambda k, s: motion.block(s, key, lanes, k), state)
    _, paths = jax.lax.scan(block, state, plan.transient + jnp.arange(blocks))
    first = (state.x[None], state.v[None])
    x, v = (jnp.concatenate([a, path.reshape(-1, *a.shape[1:])]) for a, path in zip(first, paths, strict=True))
    return x, v


# --------------------------------------------------------------------------- where to start, and with which steps


class Likeness(NamedTuple):
    """Springs (n, n) and constant forces (n,) of the linear network that moves most alike, and the longest step."""

    springs: Array
    force: Array
    longest: Array


def equivalent(network: "OscillatorNetwork") -> Likeness:
    """The linear network that moves most alike; a network without `potential` is its own.

    Statistical linearisation: the springs are the mean of the curvature ∂²V/∂x∂x, the force makes ⟨∂V/∂x⟩ right, over
    the normal distribution of the linear network itself, found by repetition. The longest stable step is that of
    the root mean square of the curvature.
    """
    n, masses = network.size, network.masses
    if network.potential is None:
        return Likeness(network.springs, jnp.zeros(n), scheme.longest_step(masses, network.springs))
    half = np.random.RandomState(0).standard_normal((n, SAMPLES // 2))
    random = np.concatenate([half, -half], axis=1)
    turns = np.exp(2j * np.pi * GOLDEN * np.arange(SAMPLES))
    slope, curve = (jax.vmap(d(lambda x: energy(network, x)), in_axes=-1) for d in (jax.grad, jax.hessian))

    def better(_: int, guess: Likeness) -> Likeness:
        step = scheme.longest_step(masses, guess.springs) / 20
        found = scheme.exact(model(network, guess.springs), step, guess.force)
        spread = scheme.cholesky(found.covariance[:n, :n]) @ random
        x = found.centre[:, None] + (found.waves[:, None] * turns).real + spread
        curves = curve(x)
        springs = _positive((1 - WEIGHT) * guess.springs + WEIGHT * jnp.mean(curves, axis=0))
        scaled = curves / jnp.sqrt(masses[:, None] * masses)
        fastest = scheme.highest_frequency(jnp.ones(n), jnp.mean(scaled @ scaled, axis=0))  # its square
        return Likeness(springs, springs @ found.centre - jnp.mean(slope(x), axis=0), 2 / jnp.sqrt(fastest))

    origin = jnp.zeros((n, 1))
    first = Likeness(_positive(curve(origin)[0]), -slope(origin)[0], jnp.zeros(()))
    found = jax.lax.fori_loop(0, REPETITIONS, better, first)
    # Where the potential is no potential everywhere, at least the curvature at the origin.
    fine = jnp.all(jnp.isfinite(found.springs)) & jnp.all(jnp.isfinite(found.force)) & jnp.isfinite(found.longest)
    first = first._replace(longest=scheme.longest_step(masses, first.springs))
    return jax.tree.map(lambda a, b: jnp.where(fine, a, b), found, first)


def _positive(springs: Array) -> Array:
    """The springs, stiffened on the diagonal by what makes them positive definite if they are not."""
    sizes = jnp.abs(springs)
    rows = jnp.sum(sizes, axis=1) - jnp.diag(sizes)
    missing = jnp.maximum(jnp.max(rows - jnp.diag(springs)), 0.0) + 0.05 * jnp.max(sizes)
    definite = jnp.all(jnp.diag(scheme.cholesky(springs)) > 0)
    missing = jnp.where(jnp.max(sizes) > 0, missing, 1.0)
    return springs + jnp.where(definite, 0.0, missing) * jnp.eye(springs.shape[0])


class Prepared(NamedTuple):
    """Where trajectories start, the longest stable step, and how they go; `relaxation` time of the slowest motion."""

    start: Start
    limit: Array
    plan: Plan
    relaxation: Array


def prepare(
    network: "OscillatorNetwork", bias: Any, time: Any, time_step: Any = None, transient: Any = None
) -> Prepared:
    """Time step, transient and start of a network's trajectories that are averaged for `time` (at least).

    They start from the steady state of the equivalent linear network in the very steps that are taken, and forget
    in `FORGET` relaxation times how it differs from their own.
    """
    springs, force, longest = equivalent(network)
    m = model(network, springs)
    if time_step is None:
        choice = scheme.chosen(m, bias, longest, force, BLOCK)
    else:
        choice = scheme.given(m, time_step, force, BLOCK)
    step, period, found = choice
    if transient is None:
        transient = 0.0 if network.potential is None else FORGET * found.relaxation
    cycle = period // BLOCK
    halves = jnp.maximum(jnp.ceil(time / (2 * cycle * BLOCK * step)), 1).astype(int)
    plan = Plan(step, period, jnp.ceil(transient / (BLOCK * step)).astype(int), halves * cycle)
    start = Start(found.mean, scheme.cholesky(found.covariance))
    return Prepared(start, longest, plan, found.relaxation)


# --------------------------------------------------------------------------- averages and what they are worth


class Summary(NamedTuple):
    """Means of each quantity (in the order of `Result`), their standard errors, and what may be wrong with them:

    `drift`, the largest difference of the halves in its own standard errors; `imbalance`, the mean of
    Σ heat + Σ work − storage with its standard error; how many lanes `failed`; `blocks`, the standard errors from the
    halves as independent samples, over those from the trajectories: 1 if the halves forget each other, down to 1/√2.
    """

    mean: Array
    error: Array
    drift: Array
    imbalance: Array
    imbalance_error: Array
    failed: Array
    blocks: Array


def summarise(network: "OscillatorNetwork", result: Result) -> Summary:
    """Averages over the lanes; lanes are independent, so that their spread gives standard errors."""
    rates, count = result.rates, result.rates.shape[-1]

    def spread(values: Array) -> Array:
        return jnp.std(values, axis=-1, ddof=1) / jnp.sqrt(count)

    whole = jnp.mean(rates, axis=0)
    mean = jnp.mean(whole, axis=-1)
    change = rates[1] - rates[0]
    flows = len(network.baths) + len(network.drives)
    balance = jnp.sum(whole[:flows], axis=0) - whole[flows]
    # Where nothing fluctuates, differences are rounding.
    noise = spread(change) + 1e-12 * jnp.max(jnp.abs(mean))
    error = spread(whole)
    blocks = spread(jnp.concatenate([rates[0], rates[1]], axis=-1)) / jnp.sqrt(2.0)
    return Summary(
        mean=mean,
        error=error,
        drift=jnp.max(jnp.abs(jnp.mean(change, axis=-1)) / jnp.where(noise > 0, noise, 1.0)),
        imbalance=jnp.mean(balance),
        imbalance_error=spread(balance),
        failed=jnp.sum(result.failed >= 0),
        blocks=jnp.min(jnp.where(error > 0, blocks / jnp.where(error > 0, error, 1.0), 1.0)),
    )


def assess(network: "OscillatorNetwork", found: Summary, prepared: Prepared, *, count: int, bias: Any) -> Outcome:
    """What the averages of a batch say (leading axis everywhere)."""
    names, drives, n = tuple(network.baths), tuple(network.drives), network.size
    temperature = jnp.stack([bath.temperature for bath in network.baths.values()], axis=-1)
    ends = np.cumsum([len(names), len(drives), 1, n])

    def rates(values: Array) -> Rates:
        heats, works, storage, *_ = jnp.split(values, ends, axis=-1)
        return Rates(heats, works=works, storage=storage[..., 0])

    def moments(values: Array) -> dict[str, Array]:
        labels = [f"{what} {i}" for what in ("x_squared", "v_squared") for i in range(n)]
        return {label: values[..., ends[2] + k] for k, label in enumerate(labels)}

    plan = prepared.plan
    largest = jnp.max(jnp.abs(found.mean[..., : ends[1]]), axis=-1)
    surplus = jnp.abs(found.imbalance)
    settled = found.drift < DRIFT
    balanced = surplus <= 10 * bias * largest + DRIFT * found.imbalance_error
    bounded = jnp.isfinite(prepared.relaxation) & jnp.all(jnp.isfinite(prepared.start.mean), axis=-1)
    bounded &= jnp.all(jnp.isfinite(prepared.start.factor), axis=(-2, -1))
    stable = plan.step < prepared.limit
    finite = jnp.all(jnp.isfinite(found.mean), axis=-1) & jnp.all(jnp.isfinite(found.error), axis=-1)
    valid = jnp.all(temperature > 0, axis=-1) & jnp.all(network.masses > 0, axis=-1)
    valid &= jnp.all(network.frictions >= 0, axis=-1)
    valid &= jnp.stack([jnp.all(jnp.isfinite(a.reshape(a.shape[0], -1)), -1) for a in _numbers(network)]).all(0)
    nowhere = ~bounded | (found.failed > 0)
    faults = {
        Status.INVALID: ~valid,
        Status.UNSTABLE: nowhere & (plan.half > 0),
        Status.NOT_FINITE: ~finite & (plan.half > 0),
        Status.NOT_CONVERGED: (plan.half == 0) | ~(settled & balanced & stable),
    }
    residuals = {"drift": found.drift}
    steps = (plan.transient + 2 * plan.half) * BLOCK
    statistics = {
        "trajectories": jnp.full(steps.shape, count),
        "steps": steps,
        "time_step": plan.step,
        "block_error_ratio": found.blocks,
    }
    return Outcome(
        rates(found.mean),
        rates(found.error),
        faults=faults,
        residuals=residuals,
        statistics=statistics,
        observables=moments(found.mean),
        observable_errors=moments(found.error),
        stochastic=True,
    )


def _numbers(network: "OscillatorNetwork") -> list[Array]:
    return jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array))


# --------------------------------------------------------------------------- the steady state, by a fixed ensemble


def solve_ensemble(network: "OscillatorNetwork") -> Outcome:
    """Steady or periodic state of a batch of networks (leading axis in, leading axis out) by simulation.

    Each point: `TRAJECTORIES` trajectories with the fixed key `KEY`, `MEASURED` steps each after the transient, or two
    periods if they are longer. All points share their random numbers. Derivatives are those of the trajectories
    with the random numbers, the time step and the start held fixed; NaN where the motion is chaotic.
    """
    arrays, static = eqx.partition(network, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(arrays)
    bias = 1e-3

    def simulated(leaves: list[Array]) -> tuple[Array, tuple[Summary, Prepared]]:
        one = eqx.combine(jax.tree.unflatten(structure, leaves), static)
        prepared = jax.lax.stop_gradient(prepare(jax.lax.stop_gradient(one), bias, 0.0))
        plan = prepared.plan
        cycle = jnp.maximum(plan.period // BLOCK, 1)
        half = -(-MEASURED // (2 * BLOCK * cycle)) * cycle
        possible = jnp.isfinite(plan.step) & jnp.isfinite(prepared.relaxation) & (plan.transient >= 0)
        possible &= plan.transient + 2 * half <= LONGEST // BLOCK
        half, transient = jnp.where(possible, half, 0), jnp.where(possible, plan.transient, 0)
        step = plan.step if one.frequency is None else 2 * jnp.pi / (one.frequency * plan.period)
        plan = Plan(step, plan.period, transient, half)
        key = jnp.array(KEY, jnp.uint32)
        result = simulate(one, plan, prepared.start, key, jnp.arange(TRAJECTORIES))
        return result.rates, (summarise(one, result), prepared._replace(plan=plan))

    @jax.custom_jvp
    def run(leaves: list[Array]) -> tuple[Summary, Prepared]:
        return simulated(leaves)[1]

    @run.defjvp
    def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
        # The whole Jacobian by forward differentiation: linear in the tangents, so that it can be transposed.
        (point,), (direction,) = primals, tangents
        jacobian, found = jax.jacfwd(simulated, has_aux=True)(point)
        slope = sum(
            (jnp.tensordot(_slope(j), d, axes=d.ndim) for j, d in zip(jacobian, direction, strict=True)),
            jnp.zeros_like(found[0].mean),
        )
        still = jax.tree.map(_no_tangent, found)
        return found, (still[0]._replace(mean=slope), still[1])

    found, prepared = jax.lax.map(run, leaves)
    return assess(network, found, prepared, count=TRAJECTORIES, bias=bias)


def _slope(rates: Array) -> Array:
    """Means of the derivatives of all rates (half, quantity, lane, …) over halves and lanes.

    In chaotic motion the derivative of a trajectory grows until it means nothing: some lanes then outweigh all others,
    and the kurtosis over the lanes, 3 for normal numbers, becomes large. NaN instead.
    """
    lanes = jnp.mean(rates, axis=0)
    mean = jnp.mean(lanes, axis=1)
    apart = lanes - mean[:, None]
    squares = jnp.mean(apart**2, axis=1)
    scaled = apart / jnp.sqrt(jnp.where(squares > 0, squares, 1.0))[:, None]
    return jnp.where(jnp.any(jnp.mean(scaled**4, axis=1) > KURTOSIS), jnp.nan, mean)


def _no_tangent(value: Array) -> Any:
    if jnp.issubdtype(value.dtype, jnp.floating):
        return jnp.zeros_like(value)
    return np.zeros(value.shape, jax.dtypes.float0)


def explain(status: Status) -> str:
    """Words on why the steady state of a nonlinear network has that status."""
    if status is Status.UNSTABLE:
        return (
            "a trajectory left the range of numbers, or the network has no steady state; check the potential and the "
            "frictions. `coldspot.trajectories` names the time and the coordinate."
        )
    if status is Status.NOT_CONVERGED:
        return (
            f"its averages still drift or do not balance, or it needs more than {LONGEST} steps to forget its start or "
            "for two periods; see `residuals`, and use `coldspot.trajectories` with a longer `time` or `transient`, or "
            "a smaller `time_step`."
        )
    return ""
