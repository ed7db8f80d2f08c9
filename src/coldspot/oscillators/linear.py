"""Linear oscillator networks: heat between baths at different temperatures, and what driving forces dissipate.

In the coordinates y = Cᵀx (C Cᵀ = Φ) and v the energy is ½y² + ½vᵀMv, and y′ = Cᵀv, M v′ = −C y − Γv + noise.
Let X_b be the covariance that the noise of bath b alone, at T_b = 1, makes. Their sum is the equilibrium
distribution, so that

    heat[b] = Σ_b′ K_bb′ (T_b − T_b′),   K_bb′ = Σ_{i at b} γ_i ⟨v_i²⟩ in X_b′  (≥ 0, symmetric),

which vanishes exactly in equilibrium. A residual R of the equation for X_b′ changes K_bb′ by ½ tr(S X_b S R), S the
reversal of velocities: by time reversal X_b also tells what each noise contributes to bath b. This is added, with R
from sums of twice the digits, so that the error that remains is of second order in the solver's.

A force f_d = Re(a_d e^{−iφ_d} e^{−iΩt}) moves coordinate k by Re(u_k e^{−iΩt}), u = G f, G = (Φ − Ω²M − iΩΓ)⁻¹. Then
heat[b] gets −½Ω² Σ γ_k |u_k|² and work[d] = ½Ω Σ_e a_d a_e [Im G_de cos(φ_d−φ_e) + Re G_de sin(φ_d−φ_e)],
with Im G = Ω G†ΓG: what is dissipated is a sum of squares.
"""

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS, cholesky, inverse, positive_or_one
from ..numerics.double_double import UNIT, Precise, add, matmul, plain, times
from ..numerics.lyapunov import NEGLIGIBLE, Cayley, cayley, covariances, doubled
from ..solution import Status

if TYPE_CHECKING:
    from .network import OscillatorNetwork

SHARP = 1e-13
"""Conductances are refined where more than this part of the largest between two baths may be missing."""
BALANCED = 1e-13
"""Errors below this part of heats that cancel each other are rounding."""
ABSENT = 1e-22
"""Errors below this part of the heat that goes back and forth between a coordinate and its bath are no error."""


# --------------------------------------------------------------------------- noise


class Noise(NamedTuple):
    """What the baths' noise does, for a batch (point first).

    `conductance` K (bath, bath) and its `error`; `factor` C (n, n) and its inverse; `second` (bath, 2n, 2n): the
    covariances X_b in (y, v); whether the springs are `positive` definite and the motion `damped`; `doublings`.
    """

    conductance: Array
    error: Array
    factor: Array
    inverse_factor: Array
    second: Array
    positive: Array
    damped: Array
    doublings: Array


def _swap(x: Array) -> Array:
    return jnp.swapaxes(x, -1, -2)


def _trace(a: Array, b: Array) -> Array:
    """tr(aᵀb) of the last two axes."""
    return jnp.sum(a * b, axis=(-2, -1))


def _norm(a: Array) -> Array:
    return jnp.sqrt(_trace(a, a))


def noise(network: "OscillatorNetwork") -> Noise:
    """Covariances of the noise of each bath, and the heat conductances between the baths."""
    n = network.size
    mass, gamma = network.masses, network.frictions
    members = jnp.asarray(network.members)
    share = members * gamma[:, None]  # (point, bath, n): γ_i where coordinate i is the bath's
    springs = 0.5 * (network.springs + _swap(network.springs))

    # Coordinates y = Cᵀx and √m v are fixed; parameters move A in them, which is all that derivatives see.
    factor, positive = cholesky(jax.lax.stop_gradient(springs))
    springs = jnp.where(positive[:, None, None], springs, jnp.eye(n))
    root = jnp.sqrt(jax.lax.stop_gradient(mass))
    back = inverse(factor)
    # Φ − C Cᵀ, which rounding leaves.
    excess = add(plain(springs), -matmul(factor, plain(_swap(factor)))).value @ _swap(back)

    zero = jnp.zeros_like(springs)
    eye = jnp.eye(n)
    upper = _swap(factor) / root[:, None, :]
    lower = -(root / mass)[..., None] * (factor + excess)
    damping = -(gamma / mass)[..., None] * eye
    a = _blocks(zero, upper, lower, damping)
    kicks = (root / mass)[:, None, :] ** 2 * 2 * share
    sources = jnp.concatenate([jnp.zeros_like(kicks), kicks], -1)[..., None] * jnp.eye(2 * n)
    # Rounding leaves residuals between ± their size × this much noise, so that its covariance bounds what they do.
    rough = jnp.sum(jnp.abs(jax.lax.stop_gradient(a)), -1)
    sides = jnp.concatenate([sources, (rough[:, :, None] * jnp.eye(2 * n))[:, None]], 1)
    solver = cayley(a)
    x, left, doublings = covariances(a, sides, solver)
    known = jax.lax.stop_gradient((a, sides, x, solver, rough, members * (gamma / mass)[:, None]))
    x = x + _refinement(*known)
    scale = jnp.concatenate([jnp.ones_like(root), 1 / root], -1)
    second = x[:, :-1] * scale[:, None, :, None] * scale[:, None, None, :]
    second = 0.5 * (second + _swap(second))

    own = jnp.einsum("pbi,pci->pbc", share, jnp.diagonal(second[..., n:, n:], axis1=-2, axis2=-1))
    residual = _residual(network, factor, excess, second, share)
    reversal = jnp.concatenate([jnp.ones(n), -jnp.ones(n)])
    correction = jnp.einsum("pbij,pcij->pbc", 0.5 * second * jnp.outer(reversal, reversal), residual)
    conductance = own + correction
    error = _missing(*jax.lax.stop_gradient((conductance, second, residual, x, excess, back, springs, mass, rough)))
    return Noise(conductance, error, factor, back, second, positive, left <= NEGLIGIBLE, doublings)


def _missing(
    conductance: Array,
    second: Array,
    residual: Array,
    x: Array,
    excess: Array,
    back: Array,
    springs: Array,
    mass: Array,
    rough: Array,
) -> Array:
    """Error bound of the conductances."""
    n = mass.shape[-1]
    even = jnp.concatenate([jnp.ones_like(mass), 1 / jnp.sqrt(mass)], -1) / jnp.sqrt(rough)
    # What is missing: the second order, ½ ∫ tr(S e^{At}R_b e^{Aᵀt} S R_b′) dt; what C leaves out of A; rounding of R.
    size = _norm(residual * even[:, None, :, None] * even[:, None, None, :])
    content = jnp.sum(rough[:, None] * jnp.diagonal(x, axis1=-2, axis2=-1), -1)
    slack = 2 * _norm(back @ excess) + 4 * n * n * EPS
    error = size[:, :, None] * size[:, None, :] * content[:, -1, None, None]
    error += content[:, :-1, None] * (slack[:, None, None] * size[:, None, :] + n * UNIT)
    # What the rounding of the springs' constants, as sums of others, may change.
    p, q, v = (jnp.abs(part) for part in (second[..., :n, :n], second[..., :n, n:], second[..., n:, n:]))
    loose = EPS * jnp.abs(springs) @ jnp.abs(_swap(back))
    force = loose[:, None] @ (q * mass[:, None, None, :])
    error += jnp.einsum("pbij,pcij->pbc", q, p @ _swap(loose)[:, None]) + jnp.einsum("pbij,pcij->pbc", v, force)
    return error + 5 * EPS * jnp.abs(conductance)


def _refinement(a: Array, sides: Array, x: Array, solver: Cayley, rough: Array, rates: Array) -> Array:
    """What to add to X where motion is so weakly damped that the residual spoils the conductances; elsewhere zero."""
    n = a.shape[-1] // 2
    residual = a[:, None] @ x + x @ _swap(a)[:, None] + sides
    even = 1 / jnp.sqrt(rough)
    size = _norm(residual * even[:, None, :, None] * even[:, None, None, :])[:, :-1]
    missing = jnp.max(size, -1) ** 2 * jnp.sum(rough * jnp.diagonal(x[:, -1], axis1=-2, axis2=-1), -1)
    own = jnp.einsum("pbi,pci->pbc", rates, jnp.diagonal(x[:, :-1, n:, n:], axis1=-2, axis2=-1))
    between = jnp.max(jnp.where(jnp.eye(own.shape[-1], dtype=bool), 0.0, own), (-2, -1))
    poor = missing > SHARP * between
    rest = jnp.where(poor[:, None, None, None], residual, 0.0)
    return jax.lax.cond(jnp.any(poor), lambda: doubled(solver, rest)[0], lambda: jnp.zeros_like(x))


def _residual(network: "OscillatorNetwork", factor: Array, excess: Array, second: Array, share: Array) -> Array:
    """d/dt of ⟨yyᵀ⟩, ⟨yvᵀ⟩M and M⟨vvᵀ⟩M (point, bath, 2n, 2n) that the covariances leave, to twice the digits."""
    n = network.size
    eye, zero = jnp.eye(n), jnp.zeros_like(factor)
    motion = _blocks(zero, _swap(factor), -factor, -network.frictions[..., None] * eye)
    weight = jnp.concatenate([jnp.ones_like(network.masses), network.masses], -1)
    moved = times(plain(second), weight[:, None, None, :])
    half = matmul(motion[:, None], moved)
    beside = _blocks(zero, zero, -excess, zero)[:, None] @ moved.value
    force = 2 * jnp.concatenate([jnp.zeros_like(share), share], -1)[..., None] * jnp.eye(2 * n)
    return add(add(half, half.transpose), plain(force)).value + beside + _swap(beside)


def _blocks(a: Array, b: Array, c: Array, d: Array) -> Array:
    """[[a, b], [c, d]] in the last two axes."""
    return jnp.concatenate([jnp.concatenate([a, b], -1), jnp.concatenate([c, d], -1)], -2)


# --------------------------------------------------------------------------- driving


class Response(NamedTuple):
    """What the forces do, averaged over a period, for a batch (point first).

    `heats` (bath), `works` (drive) and their errors; the amplitudes u of the motion (2, n), real part before imaginary
    part; `mismatch`: Im G less Ω G†ΓG between the driven coordinates, relative to G.
    """

    heats: Array
    works: Array
    heat_errors: Array
    work_errors: Array
    amplitudes: Array
    mismatch: Array


def response(network: "OscillatorNetwork") -> Response:
    """The harmonic response to the forces: heat per bath and work per force."""
    n, sites = network.size, np.array(network.driven)
    m = len(sites)
    assert network.frequency is not None
    omega = network.frequency[:, None, None]
    force = jnp.stack([drive.amplitude for drive in network.drives.values()], -1)
    phase = jnp.stack([drive.phase for drive in network.drives.values()], -1)
    gamma = network.frictions
    green, error, size = _green(network, sites)

    # u_k = Σ_d G_kd a_d e^{−iφ_d}
    real, imaginary = green
    cosine, sine = (force * jnp.cos(phase))[..., None], (force * jnp.sin(phase))[..., None]
    u = jnp.stack([(real @ cosine + imaginary @ sine)[..., 0], (imaginary @ cosine - real @ sine)[..., 0]], 1)
    power = jnp.sum(u**2, axis=1)
    u_size = jnp.sqrt(jax.lax.stop_gradient(power))
    u_error = ((2 * error + 4 * (m + 1) * EPS * size) @ jnp.abs(force)[..., None])[..., 0]
    share = jnp.asarray(network.members) * (0.5 * gamma * network.frequency[:, None] ** 2)[:, None]
    heats = -jnp.sum(share * power[:, None], -1)
    heat_errors = jnp.sum(share * (2 * u_size * u_error + u_error**2 + (n + 8) * EPS * u_size**2)[:, None], -1)

    # Im G_de = Ω Σ_k γ_k Re(G*_kd G_ke): positive for d = e.
    loss = omega * sum(_swap(part) @ (gamma[..., None] * part) for part in green)
    rough = omega * (_swap(size) @ (gamma[..., None] * error))
    loss_error = 2 * (rough + _swap(rough)) + 4 * n * EPS * omega * (_swap(size) @ (gamma[..., None] * size))
    stiff, direct = real[:, sites], imaginary[:, sites]
    stiff = 0.5 * (stiff + _swap(stiff))
    turn = phase[:, :, None] - phase[:, None, :]
    pairs = 0.5 * omega * force[:, :, None] * force[:, None, :]
    works = jnp.sum(pairs * (loss * jnp.cos(turn) + stiff * jnp.sin(turn)), -1)
    whole = jnp.abs(loss * jnp.cos(turn)) + jnp.abs(stiff * jnp.sin(turn))
    bound = loss_error + error[:, sites] * jnp.abs(jnp.sin(turn)) + (m + 8) * EPS * whole
    bound += EPS * jnp.abs(turn) * (jnp.abs(loss * jnp.sin(turn)) + jnp.abs(stiff * jnp.cos(turn)))
    mismatch = jnp.max(jnp.abs(direct - loss) / jnp.max(size[:, sites], (-2, -1), keepdims=True), axis=(-2, -1))
    return Response(heats, works, heat_errors, jnp.sum(jnp.abs(pairs) * bound, -1), u, mismatch)


def _green(network: "OscillatorNetwork", sites: np.ndarray) -> tuple[tuple[Array, Array], Array, Array]:
    """Columns `sites` of G = (Φ − Ω²M − iΩΓ)⁻¹ as real and imaginary part, their error bound, and |G|."""
    n = network.size
    assert network.frequency is not None
    omega, eye = network.frequency[:, None, None], jnp.eye(n)
    inertia = times(times(plain(omega), omega), network.masses[..., None] * eye)
    springs = 0.5 * (network.springs + _swap(network.springs))
    stiff = add(plain(springs), -inertia)
    loss = times(plain(omega), network.frictions[..., None] * eye)
    # Z on real and imaginary parts: [[stiff, loss], [−loss, stiff]].
    z = Precise(*(_blocks(b, c, -c, b) for b, c in zip(stiff, loss, strict=True)))
    green = inverse(jax.lax.stop_gradient(stiff.value - 1j * loss.value))
    known = _blocks(green.real, -green.imag, green.imag, green.real)
    unit = jnp.broadcast_to(jnp.eye(2 * n), known.shape)
    start = jax.lax.custom_linear_solve(
        lambda g: z.value @ g,
        unit,
        solve=lambda _, rhs: known @ rhs,
        transpose_solve=lambda _, rhs: _swap(known) @ rhs,
    )
    # One step of Newton's method, G + G(1 − ZG), with the residual to twice the digits.
    left = add(plain(unit), -matmul(_swap(start), z.transpose).transpose).value
    better = start + start @ left
    real, imaginary = better[:, :n, sites], better[:, n:, sites]
    start, left, better, springs = jax.lax.stop_gradient((start, left, better, springs))
    missed = jnp.abs(left)
    error = 2 * jnp.abs(start) @ (missed @ missed + 2 * n * EPS * missed) + 2 * EPS * jnp.abs(better)
    # What the rounding of the springs' constants, as sums of others, may change.
    whole = jnp.sqrt(better[:, :n, :n] ** 2 + better[:, n:, :n] ** 2)
    inherited = EPS * whole @ jnp.abs(springs) @ whole[..., sites]
    error = jnp.where(jnp.max(jnp.sum(missed, -1), -1)[:, None, None] < 0.5, error, jnp.inf)
    return (real, imaginary), error[:, :n, sites] + error[:, n:, sites] + inherited, whole[..., sites]


# --------------------------------------------------------------------------- solution


def solve_linear(network: "OscillatorNetwork") -> Outcome:
    """Steady or periodic state of a batch of linear networks (leading axis in, leading axis out)."""
    names = tuple(network.baths)
    temperature = jnp.stack([bath.temperature for bath in network.baths.values()], -1)
    found = noise(network)
    difference = temperature[:, :, None] - temperature[:, None, :]
    flows = found.conductance * difference
    heats = jnp.sum(flows, -1)
    errors = jnp.sum(found.error * jnp.abs(difference) + 2 * (len(names) + 2) * EPS * jnp.abs(flows), -1)
    gross = jnp.sum(jnp.abs(flows), (-2, -1))
    works, work_errors = jnp.zeros((*gross.shape, 0)), jnp.zeros((*gross.shape, 0))
    rate = network.frictions / network.masses
    held = jnp.sum(jnp.asarray(network.members) * rate[:, None], -1)
    top = jnp.max(held, -1)
    residuals = {
        "equipartition": jnp.max(jnp.abs(jnp.sum(found.conductance, -1) - held), -1) / positive_or_one(top),
        "reciprocity": jnp.max(jnp.abs(found.conductance - _swap(found.conductance)), (-2, -1)) / positive_or_one(top),
    }
    if len(network.drives):
        forced = response(network)
        heats, errors = heats + forced.heats, errors + forced.heat_errors + 2 * EPS * jnp.abs(heats + forced.heats)
        works, work_errors = forced.works, forced.work_errors
        gross += jnp.sum(jnp.abs(forced.heats), -1)
        residuals["dissipation"] = forced.mismatch
    return Outcome(
        Rates(heats, works=works),
        Rates(errors, works=work_errors),
        faults={
            Status.NOT_UNIQUE: ~found.damped,
            Status.UNSTABLE: ~found.positive,
            Status.INVALID: ~_valid(network, temperature),
        },
        floor=BALANCED * gross + ABSENT * jnp.sum(held * temperature, -1),
        residuals=residuals,
        statistics={"doublings": found.doublings},
    )


def _valid(network: "OscillatorNetwork", temperature: Array) -> Array:
    """Whether each point's parameters are in their domain."""
    springs, gamma = network.springs, network.frictions
    free = np.array(network.bath_of) < 0
    uneven = jnp.max(jnp.abs(springs - _swap(springs)), (-2, -1)) > 1e-12 * jnp.max(jnp.abs(springs), (-2, -1))
    good = jnp.all((network.masses > 0) & jnp.isfinite(network.masses), -1)
    good &= jnp.all(jnp.isfinite(springs), (-2, -1)) & ~uneven
    good &= jnp.all((gamma >= 0) & jnp.isfinite(gamma) & ~(free & (gamma > 0)), -1)
    good &= jnp.all((temperature > 0) & jnp.isfinite(temperature), -1)
    if network.frequency is not None:
        good &= (network.frequency > 0) & jnp.isfinite(network.frequency)
        for drive in network.drives.values():
            good &= jnp.isfinite(drive.amplitude) & jnp.isfinite(drive.phase) & jnp.isfinite(drive.mean)
    return good


# --------------------------------------------------------------------------- between the coordinates


@eqx.filter_jit
def covariance(network: "OscillatorNetwork") -> Array:
    """Covariance (2n, 2n) of positions and velocities of one network; the driven mean motion is not part of it."""
    _, found, temperature = _one(network)
    n = network.size
    # The equilibrium at the mean temperature, and what the differences add.
    mean = jnp.mean(temperature)
    zero = jnp.zeros((n, n))
    rest = jnp.block([[jnp.eye(n), zero], [zero, jnp.diag(1 / network.masses)]])
    moved = mean * rest + jnp.einsum("b,bij->ij", temperature - mean, found.second[0])
    back = jnp.block([[found.inverse_factor[0].T, zero], [zero, jnp.eye(n)]])
    return back @ moved @ back.T


@eqx.filter_jit
def currents(network: "OscillatorNetwork") -> Array:
    """Energy per time that flows into coordinate i (row) from j (column) through the spring between them (n, n)."""
    point, found, temperature = _one(network)
    n = network.size
    mean = jnp.mean(temperature)
    # ⟨x_j v_i⟩, which is zero in equilibrium.
    crossed = jnp.einsum("b,bij->ij", temperature - mean, found.second[0][:, :n, n:])
    crossed = found.inverse_factor[0].T @ crossed
    if len(network.drives):
        assert network.frequency is not None
        real, imaginary = response(point).amplitudes[0]
        crossed += 0.5 * network.frequency * (jnp.outer(real, imaginary) - jnp.outer(imaginary, real))
    flow = -0.5 * network.springs * (crossed.T - crossed)
    return flow - jnp.diag(jnp.diag(flow))


def _one(network: "OscillatorNetwork") -> tuple["OscillatorNetwork", Noise, Array]:
    """The network as a batch of one, what its noise does, and its baths' temperatures."""
    point = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, network)
    return point, noise(point), jnp.stack([bath.temperature for bath in network.baths.values()])


# --------------------------------------------------------------------------- words


def explain(network: "OscillatorNetwork", status: Status) -> str:
    """Why a linear network has that status, with numbers."""
    if status == Status.UNSTABLE:
        return _explain_springs(np.asarray(network.springs))
    if status in (Status.NOT_UNIQUE, Status.NOT_CONVERGED):
        return _explain_damping(network, status)
    if status == Status.INVALID:
        return _explain_invalid(network)
    return ""


def _pattern(vector: np.ndarray) -> str:
    """The motion along a vector, its largest entry positive."""
    vector = np.real(vector / vector[np.argmax(np.abs(vector))])
    return "(" + ", ".join(f"{x + 0.0:.3g}" for x in vector[:8]) + (", …)" if vector.size > 8 else ")")


def _explain_springs(springs: np.ndarray) -> str:
    values, vectors = np.linalg.eigh(springs)
    where = f"along {_pattern(vectors[:, 0])}"
    if values[0] > -1e-12 * np.max(np.abs(springs)):
        return (
            f"no spring holds the motion {where} (eigenvalue 0 of `springs`), so that its position spreads for ever; "
            "give it a spring to a wall, however weak."
        )
    return f"`springs` has the negative eigenvalue {values[0]:.6g} {where}: that motion runs away; stiffen it."


def _explain_damping(network: "OscillatorNetwork", status: Status) -> str:
    mass, n = np.asarray(network.masses), network.size
    matrix = np.block(
        [
            [np.zeros((n, n)), np.eye(n)],
            [-np.asarray(network.springs) / mass[:, None], -np.diag(np.asarray(network.frictions) / mass)],
        ]
    )
    values, vectors = np.linalg.eig(matrix)
    weakest = np.argmin(-values.real / np.abs(values))
    frequency, shape = abs(values[weakest]), _pattern(vectors[:n, weakest])
    if status == Status.NOT_UNIQUE:
        return (
            f"the steady state is not unique: no friction damps the mode of frequency {frequency:.6g} along {shape} "
            "(or so little that floating-point numbers cannot tell), which keeps the energy that it has; "
            "give a coordinate that takes part in it a bath."
        )
    return (
        f"the mode of frequency {frequency:.6g} along {shape} is damped at the rate {-values[weakest].real:.2g} only, "
        "so that rounding spoils the heats; ask for a larger `tolerance`, or use `throw=False` and read "
        "`solution.error`."
    )


def _explain_invalid(network: "OscillatorNetwork") -> str:
    """The first parameter that is outside its domain."""
    for name, bath in network.baths.items():
        value = float(bath.temperature)
        if not (np.isfinite(value) and value > 0):
            return f"bath `{name}`: `temperature` must be positive and finite, but is {value:g}."
    for i, (mass, friction) in enumerate(zip(np.asarray(network.masses), np.asarray(network.frictions), strict=True)):
        if not (np.isfinite(mass) and mass > 0):
            return f"`masses[{i}]` must be positive and finite, but is {mass:g}."
        if not (np.isfinite(friction) and friction >= 0):
            return f"`frictions[{i}]` must be finite and not negative, but is {friction:g}."
        if friction > 0 and network.bath_of[i] < 0:
            return f"`frictions[{i}]` is {friction:g}, but no bath acts on coordinate {i}."
    springs = np.asarray(network.springs)
    if not np.all(np.isfinite(springs)):
        i, j = np.argwhere(~np.isfinite(springs))[0]
        return f"`springs[{i}][{j}]` must be finite, but is {springs[i, j]:g}."
    if network.frequency is not None and not (np.isfinite(network.frequency) and network.frequency > 0):
        return f"`frequency` must be positive and finite, but is {float(network.frequency):g}."
    for name, drive in network.drives.items():
        for part in ("amplitude", "phase", "mean"):
            if not np.isfinite(getattr(drive, part)):
                return f"force `{name}`: `{part}` must be finite, but is {float(getattr(drive, part)):g}."
    return "`springs` must be symmetric."
