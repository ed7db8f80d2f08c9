"""What periodic forces do to a linear network: heat per bath and work per force.

A force f_d = Re(a_d e^{−iφ_d} e^{−iΩt}) moves coordinate k by Re(u_k e^{−iΩt}), u = G f, G = (Φ − Ω²M − iΩΓ)⁻¹. Then
heat[b] gets −½Ω² Σ γ_k |u_k|² and work[d] = ½Ω Σ_e a_d a_e [Im G_de cos(φ_d−φ_e) + Re G_de sin(φ_d−φ_e)],
with Im G = Ω G†ΓG: what is dissipated is a sum of squares.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..numerics.dense import inverse
from ..numerics.double_double import Precise, add, matmul, plain, times
from .model import System
from .noise import ROUNDING, blocks, swap


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


def response(system: System) -> Response:
    """The harmonic response to the forces: heat per bath and work per force."""
    n, sites = system.size, np.array(system.sites)
    m = len(sites)
    omega = system.frequency[:, None, None]
    force, phase, gamma = system.amplitudes, system.phases, system.frictions
    green, error, size = _green(system, sites)

    # u_k = Σ_d G_kd a_d e^{−iφ_d}
    real, imaginary = green
    cosine, sine = (force * jnp.cos(phase))[..., None], (force * jnp.sin(phase))[..., None]
    u = jnp.stack([(real @ cosine + imaginary @ sine)[..., 0], (imaginary @ cosine - real @ sine)[..., 0]], 1)
    power = jnp.sum(u**2, axis=1)
    u_size = jnp.sqrt(jax.lax.stop_gradient(power))
    u_error = ((2 * error + 4 * (m + 1) * ROUNDING * size) @ jnp.abs(force)[..., None])[..., 0]
    share = jnp.asarray(system.members) * (0.5 * gamma * system.frequency[:, None] ** 2)[:, None]
    heats = -jnp.sum(share * power[:, None], -1)
    heat_errors = jnp.sum(share * (2 * u_size * u_error + u_error**2 + (n + 8) * ROUNDING * u_size**2)[:, None], -1)

    # Im G_de = Ω Σ_k γ_k Re(G*_kd G_ke): positive for d = e.
    loss = omega * sum(swap(part) @ (gamma[..., None] * part) for part in green)
    rough = omega * (swap(size) @ (gamma[..., None] * error))
    loss_error = 2 * (rough + swap(rough)) + 4 * n * ROUNDING * omega * (swap(size) @ (gamma[..., None] * size))
    stiff, direct = real[:, sites], imaginary[:, sites]
    stiff = 0.5 * (stiff + swap(stiff))
    turn = phase[:, :, None] - phase[:, None, :]
    pairs = 0.5 * omega * force[:, :, None] * force[:, None, :]
    works = jnp.sum(pairs * (loss * jnp.cos(turn) + stiff * jnp.sin(turn)), -1)
    whole = jnp.abs(loss * jnp.cos(turn)) + jnp.abs(stiff * jnp.sin(turn))
    bound = loss_error + error[:, sites] * jnp.abs(jnp.sin(turn)) + (m + 8) * ROUNDING * whole
    bound += ROUNDING * jnp.abs(turn) * (jnp.abs(loss * jnp.sin(turn)) + jnp.abs(stiff * jnp.cos(turn)))
    mismatch = jnp.max(jnp.abs(direct - loss) / jnp.max(size[:, sites], (-2, -1), keepdims=True), axis=(-2, -1))
    return Response(heats, works, heat_errors, jnp.sum(jnp.abs(pairs) * bound, -1), u, mismatch)


def _green(system: System, sites: np.ndarray) -> tuple[tuple[Array, Array], Array, Array]:
    """Columns `sites` of G = (Φ − Ω²M − iΩΓ)⁻¹ as real and imaginary part, their error bound, and |G|."""
    n = system.size
    omega, eye = system.frequency[:, None, None], jnp.eye(n)
    inertia = times(times(plain(omega), omega), system.masses[..., None] * eye)
    springs = 0.5 * (system.springs + swap(system.springs))
    stiff = add(plain(springs), -inertia)
    loss = times(plain(omega), system.frictions[..., None] * eye)
    # Z on real and imaginary parts: [[stiff, loss], [−loss, stiff]].
    z = Precise(*(blocks(b, c, -c, b) for b, c in zip(stiff, loss, strict=True)))
    green = inverse(jax.lax.stop_gradient(stiff.value - 1j * loss.value))
    known = blocks(green.real, -green.imag, green.imag, green.real)
    unit = jnp.broadcast_to(jnp.eye(2 * n), known.shape)
    start = jax.lax.custom_linear_solve(
        lambda g: z.value @ g,
        unit,
        solve=lambda _, rhs: known @ rhs,
        transpose_solve=lambda _, rhs: swap(known) @ rhs,
    )
    # One step of Newton's method, G + G(1 − ZG), with the residual to twice the digits.
    left = add(plain(unit), -matmul(swap(start), z.transpose).transpose).value
    better = start + start @ left
    real, imaginary = better[:, :n, sites], better[:, n:, sites]
    start, left, better, springs = jax.lax.stop_gradient((start, left, better, springs))
    missed = jnp.abs(left)
    error = 2 * jnp.abs(start) @ (missed @ missed + 2 * n * ROUNDING * missed) + 2 * ROUNDING * jnp.abs(better)
    # What the rounding of the springs' constants, as sums of others, may change.
    whole = jnp.sqrt(better[:, :n, :n] ** 2 + better[:, n:, :n] ** 2)
    inherited = ROUNDING * whole @ jnp.abs(springs) @ whole[..., sites]
    error = jnp.where(jnp.max(jnp.sum(missed, -1), -1)[:, None, None] < 0.5, error, jnp.inf)
    return (real, imaginary), error[:, :n, sites] + error[:, n:, sites] + inherited, whole[..., sites]
