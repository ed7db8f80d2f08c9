"""Ensembles of trajectories: their start and their steps, averages with standard errors, and what those are worth."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import cholesky
from ..solution import Status
from . import integrator
from .continuity import Jump, steepest
from .likeness import SAMPLES, equivalent
from .model import System, still
from .simulation import BLOCK, Plan, Result, Start, simulate

FORGET = 12.0
"""Relaxation times after which a nonlinear network has forgotten that it started as a linear one: e^{−12} = 6·10⁻⁶."""
BIAS = 1e-3
"""Bias of heats and works, relative to the largest of them, that time steps may cause if nothing else is asked for."""
CLOSED = 10.0
"""The energy balance, and the bias of a time step that somebody chose, may be off by so many times the bias."""
DRIFT = 5.0
"""Halves that differ by more standard errors, or an energy balance further off, are no steady state."""
KURTOSIS = 30.0
"""Of derivatives over the trajectories, at most."""
TRAJECTORIES, MEASURED, LONGEST = 1024, 8192, 1 << 17
"""Size of the ensemble of `steady`: trajectories, steps that are averaged, and most steps in all."""
KEY = (0x636F6C64, 0x73706F74)
"""Its key: the letters of coldspot."""


# --------------------------------------------------------------------------- where to start, and with which steps


class Prepared(NamedTuple):
    """Where trajectories start, the longest stable step, and how they go; `relaxation` time of the slowest motion;

    the `bias` that the step causes in the most similar linear network, relative to the largest (bath and drive), and
    whether anything `held` the system, and where its potential jumps, if it does, among the positions of the start.
    """

    start: Start
    limit: Array
    plan: Plan
    relaxation: Array
    bias: Array
    held: Array
    jump: Jump


def prepare(system: System, bias: Any, time: Any, time_step: Any = None, transient: Any = None) -> Prepared:
    """Time step, transient and start of one system's trajectories that are averaged for `time` (at least).

    They start from the steady state of the equivalent linear network in the very steps that are taken, and forget
    in `FORGET` relaxation times how it differs from their own.
    """
    springs, force, longest, held = equivalent(system)
    alike = system.linear(springs)
    if time_step is None:
        choice = integrator.chosen(alike, bias, longest, force, BLOCK)
    else:
        choice = integrator.given(alike, time_step, force, BLOCK)
    step, period, found, off = choice
    if transient is None:
        transient = 0.0 if system.potential is None else FORGET * found.relaxation
    cycle = period // BLOCK
    halves = jnp.maximum(jnp.ceil(time / (2 * cycle * BLOCK * step)), 1).astype(int)
    plan = Plan(step, period, jnp.ceil(transient / (BLOCK * step)).astype(int), halves * cycle)
    start = Start(found.mean, cholesky(found.covariance)[0])
    return Prepared(start, longest, plan, found.relaxation, off, held, _jump(system, start))


def _jump(system: System, start: Start) -> Jump:
    """The steepest point of the potential on a way through the positions that trajectories start from."""
    n = system.size
    if system.potential is None:
        return Jump(jnp.asarray(False), jnp.zeros(()), jnp.zeros(n))
    random = np.random.RandomState(1).standard_normal((2 * n, SAMPLES))
    return steepest(system.potential, start.mean[:n, None] + start.factor[:n] @ random)


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


def summarise(system: System, result: Result) -> Summary:
    """Averages over the lanes; lanes are independent, so that their spread gives standard errors."""
    rates, count = result.rates, result.rates.shape[-1]

    def spread(values: Array) -> Array:
        return jnp.std(values, axis=-1, ddof=1) / jnp.sqrt(count)

    whole = jnp.mean(rates, axis=0)
    mean = jnp.mean(whole, axis=-1)
    change = rates[1] - rates[0]
    flows = system.baths + system.drives
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


def assess(system: System, found: Summary, prepared: Prepared, *, count: int, bias: Any) -> Outcome:
    """What the averages of a batch say, over `count` trajectories with an allowed `bias` of the time step.

    The time step may bias heats and works by `CLOSED` × `bias` of the largest of them (a step that was chosen for the
    bias causes no more than that itself), or by a standard error. So numbers that are OK lie within a few standard
    errors and `statistics["time_step_bias"]` × the largest from the truth.
    """
    n = system.size
    ends = np.cumsum([system.baths, system.drives, 1, n])

    def rates(values: Array) -> Rates:
        heats, works, storage, *_ = jnp.split(values, ends, axis=-1)
        return Rates(heats, works=works, storage=storage[..., 0])

    def moments(values: Array) -> dict[str, Array]:
        labels = [f"{what} {i}" for what in ("x_squared", "v_squared") for i in range(n)]
        return {label: values[..., ends[2] + k] for k, label in enumerate(labels)}

    plan = prepared.plan
    largest = jnp.max(jnp.abs(found.mean[..., : ends[1]]), axis=-1)
    settled = found.drift < DRIFT
    balanced = jnp.abs(found.imbalance) <= CLOSED * bias * largest + DRIFT * found.imbalance_error
    stable = plan.step < prepared.limit
    seen = prepared.bias * largest[..., None] > found.error[..., : ends[1]]
    biased = jnp.any(seen & ~(prepared.bias <= CLOSED * bias), axis=-1)
    bounded = jnp.isfinite(prepared.relaxation) & jnp.all(jnp.isfinite(prepared.start.mean), axis=-1)
    bounded &= jnp.all(jnp.isfinite(prepared.start.factor), axis=(-2, -1))
    finite = jnp.all(jnp.isfinite(found.mean), axis=-1) & jnp.all(jnp.isfinite(found.error), axis=-1)
    ran = plan.half > 0
    faults = {
        Status.INVALID: prepared.jump.jumps,
        Status.UNSTABLE: ~prepared.held | ((~bounded | (found.failed > 0)) & ran),
        Status.NOT_FINITE: ~finite & ran,
        Status.NOT_CONVERGED: ~ran | ~(settled & balanced & stable) | biased,
    }
    steps = (plan.transient + 2 * plan.half) * BLOCK
    statistics = {
        "trajectories": jnp.full(steps.shape, count),
        "steps": steps,
        "time_step": plan.step,
        "time_step_bias": jnp.max(prepared.bias, axis=-1),
        "block_error_ratio": found.blocks,
    }
    return Outcome(
        rates(found.mean),
        rates(found.error),
        faults=faults,
        residuals={"drift": found.drift},
        statistics=statistics,
        observables=moments(found.mean),
        observable_errors=moments(found.error),
        stochastic=True,
    )


# --------------------------------------------------------------------------- the steady state, by a fixed ensemble


def steady(system: System, count: int = TRAJECTORIES) -> Outcome:
    """Steady or periodic state of a batch of systems by simulation.

    Each point: `count` trajectories with the fixed key `KEY`, `MEASURED` steps each after the transient, or two
    periods if they are longer. All points share their random numbers. Derivatives are those of the trajectories
    with the random numbers, the time step and the start held fixed; NaN where the motion is chaotic.
    """
    arrays, static = eqx.partition(system, eqx.is_inexact_array)
    leaves, structure = jax.tree.flatten(arrays)

    def simulated(leaves: list[Array]) -> tuple[Array, tuple[Summary, Prepared]]:
        one = eqx.combine(jax.tree.unflatten(structure, leaves), static)
        prepared = still(prepare(still(one), BIAS, 0.0))
        plan = prepared.plan
        cycle = jnp.maximum(plan.period // BLOCK, 1)
        half = -(-MEASURED // (2 * BLOCK * cycle)) * cycle
        possible = jnp.isfinite(plan.step) & jnp.isfinite(prepared.relaxation) & (plan.transient >= 0)
        possible &= plan.transient + 2 * half <= LONGEST // BLOCK
        half, transient = jnp.where(possible, half, 0), jnp.where(possible, plan.transient, 0)
        step = 2 * jnp.pi / (one.frequency * plan.period) if one.drives else plan.step
        plan = Plan(step, plan.period, transient, half)
        key = jnp.array(KEY, jnp.uint32)
        result = simulate(one, plan, prepared.start, key, jnp.arange(count))
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
        fixed = jax.tree.map(_no_tangent, found)
        return found, (fixed[0]._replace(mean=slope), fixed[1])

    found, prepared = jax.lax.map(run, leaves)
    return assess(system, found, prepared, count=count, bias=BIAS)


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
