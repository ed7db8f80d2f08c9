"""Heat through linear networks by what they transmit at each frequency: quantum baths, and friction with a memory.

    heat[b] = Σ_b′ ∫_0^∞ dω/2π ħω T_bb′(ω) [n(ω/T_b) − n(ω/T_b′)],   T_bb′ = 4ω² tr[Γ_b G Γ_b′ G†],

G = (Φ − ω²M − iωΓ(ω))⁻¹ and Γ_b the real part of the friction at ω; n(x) = 1/(eˣ−1), for classical baths T/ω (Dhar and
Roy, "Heat transport in harmonic lattices"). Friction with the spectrum J = γω/(1+(ω/c)²) has Γ(ω) = γ/(1−iω/c).

Between the r coordinates that baths act on G = g(1 − iωΓg)⁻¹, with g = Σ_k u_k u_kᵀ/(ω_k²−ω²) from the modes of the
springs alone: r²n operations per frequency. The frequencies are those of `quadrature`, close around each damped mode.
Derivatives are those of linear equations, dG = −G d(G⁻¹) G, in coordinates that stay the modes of this network: the
modes' own derivatives have no end where two of them have one frequency.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from ..dynamics import Outcome, Rates
from ..numerics.dense import EPS, inverse, positive_or_one
from ..numerics.quadrature import NODES, cells, integrate, mesh
from ..regimes import UNDAMPED
from ..solution import Status
from .instant import APART
from .undamped import MIX, Undamped, undamped

HOT, FAST = 45.0, 1e5
"""The window ends at the smaller of `HOT` temperatures, where no quanta are left, and `FAST` times the fastest mode."""
EXACT = 200
"""Up to so many coordinates the damped modes are found; beyond, by how much friction takes part in each mode."""
NARROW = 1e-14
"""Widths, relative to the fastest mode, below which a mode carries no heat."""
BEYOND = 16
"""Frequencies beyond the window."""
UNSEEN = 1e-24
"""Share of a mode in the coordinates of baths, squared, below which it has no pole there."""
STILL = 1e-10
"""Share of pushes on modes that nothing damps, relative to the largest of all, that is rounding."""
LEAST = 1e-100
"""In place of the frequency 0, where the Bose function diverges."""


class Spectral(eqx.Module):
    """One network between baths with a spectrum.

    - `masses` (n,), `springs` (n, n), `temperatures` (bath,); `strengths` Γ_b (bath, r, r) at ω = 0 between the
      coordinates `sites`, and `cutoffs` c (bath,), infinite without memory;
    - `pushes` (harmonic, drive, n), complex amplitudes of forces at multiples of `frequency`; `rough`, the same known
      less well if they have no end, else None;
    - `quantum`: whether the baths are.
    """

    masses: Float[Array, " n"]
    springs: Float[Array, "n n"]
    temperatures: Float[Array, " bath"]
    strengths: Float[Array, "bath r r"]
    cutoffs: Float[Array, " bath"]
    pushes: Array
    rough: Array | None
    frequency: Array
    sites: tuple[int, ...] = eqx.field(static=True)
    quantum: bool = eqx.field(static=True)


class Modes(NamedTuple):
    """ω_k² (n,) and the modes S (n, n) of coordinates times √m, and the friction per mass at the sites (bath, r, r).

    ω_k², S and its rows u `at_sites` (r, n) have no derivatives; SᵀΦS, the `springs` between them, has. `reached` (n,):
    by friction; those that are not, of `undamped`, are modes of their own.
    """

    squares: Array
    shapes: Array
    at_sites: Array
    springs: Array
    friction: Array
    reached: Array
    undamped: Undamped


def steady(points: Any, look: Callable[[Any], Spectral]) -> Outcome:
    """Steady states of a batch; `look(point)` gives the numbers of one."""

    def one(point: Any) -> tuple[Array, ...]:
        s = look(point)
        m = modes(s)
        flows, errors = _flows(s, m)
        heats, works, rough = _driven(s, m)
        total = jnp.sum(flows, 1) + heats
        off = jnp.sum(errors, 1) + EPS * (jnp.abs(total) + jnp.sum(jnp.abs(flows), 1)) + rough
        positive = m.squares[0] > 4 * s.masses.size * EPS * m.squares[-1]
        still = m.undamped
        unique = jnp.any(s.strengths != 0) & ~jnp.any(still.moving & jnp.any(s.pushes != 0, (0, 1)))
        off += still.loss * jnp.max(s.temperatures)
        return total, off, works, jnp.full_like(works, jnp.max(rough)), positive, unique, still.present

    heats, errors, works, work_errors, positive, unique, resting = jax.lax.map(one, points)
    return Outcome(
        rates=Rates(heats=heats, works=works),
        errors=Rates(heats=errors, works=work_errors),
        faults={Status.UNSTABLE: ~positive, Status.NOT_UNIQUE: positive & ~unique},
        flags={UNDAMPED: resting},
    )


def modes(s: Spectral) -> Modes:
    """The modes of the springs alone, of coordinates times √m."""
    root = jnp.sqrt(s.masses)
    at = np.array(s.sites)
    still = undamped(s.masses, s.springs, jnp.zeros_like(s.springs).at[at[:, None], at].set(jnp.sum(s.strengths, 0)))
    # Those that friction does not reach move away from others of their frequency, with which they would come mixed.
    apart = MIX * still.damping @ still.damping
    springs = (s.springs + s.springs.T) / 2 / (root[:, None] * root)
    squares, shapes = jnp.linalg.eigh(jax.lax.stop_gradient(springs) + apart)
    reached = ~still.present | (jnp.max(shapes[at] ** 2, 0) > UNSEEN)
    friction = s.strengths / (root[at][:, None] * root[at])
    return Modes(squares, shapes, shapes[at], shapes.T @ springs @ shapes, friction, reached, still)


def transmission(s: Spectral, m: Modes, frequencies: Array) -> Array:
    """T_bb′ (…, bath, bath) at frequencies (…)."""
    real, green = _green(s, m, frequencies)
    moved = real[..., :, None, :, :] @ green[..., None, None, :, :] @ real[..., None, :, :, :]
    back = jnp.conj(jnp.swapaxes(green, -1, -2))[..., None, None, :, :]
    return 4 * frequencies[..., None, None] ** 2 * jnp.trace(moved @ back, axis1=-2, axis2=-1).real


def _green(s: Spectral, m: Modes, w: Array) -> tuple[Array, Array]:
    """The real part of each bath's friction, and G between the sites (…, r, r), both per mass."""
    u = m.at_sites
    memory = 1 / (1 - 1j * w[..., None] / s.cutoffs)
    each = memory[..., None, None] * m.friction
    return each.real, _moved(m, jnp.sum(each, -3), w, jnp.broadcast_to(u.T, (*w.shape, *u.T.shape)))[1]


def _moved(m: Modes, friction: Array, w: Array, pushes: Array, kept: int = 0) -> tuple[Array, Array]:
    """Displacements of the modes, x (…, n, c), and of the sites, y = ux, under pushes (…, n, c) at frequencies w (…):

    (SᵀΦS − ω²) x − iωuᵀΓy = pushes, with the friction Γ (…, r, r). Modes that friction does not reach stay at rest.
    `kept`: of how many modes nearest to ω the displacements are unknowns beside y; ω² − ω_k² is divided by for others.
    """
    u, n = m.at_sites, m.squares.size
    drag, square = 1j * w[..., None, None] * friction, w[..., None, None] ** 2
    reached = m.reached[:, None]
    gap = jnp.where(reached, m.squares[:, None] - square, 1.0)
    chosen = jax.lax.top_k(jnp.where(m.reached, -jnp.abs(gap[..., 0]), -jnp.inf), kept)[1]
    near = jax.nn.one_hot(chosen, n) * m.reached  # (…, kept, n)
    far = reached & (jnp.sum(near, -2)[..., None] == 0)
    free = jnp.where(far, 1 / jnp.where(far, gap, 1.0), 0.0)
    close = near @ u.T  # (…, kept, r)

    def equations(z: Array) -> Array:
        x, y = z[..., :n, :], z[..., n:, :]
        return jnp.concatenate([m.springs @ x - square * x - u.T @ (drag @ y), y - u @ x], -2)

    def solved(drag: Array, pushes: Array) -> tuple[Array, Array]:
        """x and ux of (ω_k² − ω²) x − uᵀ drag ux = pushes."""
        g = (u * jnp.swapaxes(free, -1, -2)) @ u.T
        # Of the displacements that are kept, and of y.
        own = jnp.take_along_axis(gap[..., 0], chosen, -1)[..., None] * jnp.eye(kept)
        sides = [own, -close @ drag], [-jnp.swapaxes(close, -1, -2), jnp.eye(u.shape[0]) - g @ drag]
        back = inverse(jnp.concatenate([jnp.concatenate(row, -1) for row in sides], -2))

        def under(pushes: Array) -> tuple[Array, Array]:
            found = back @ jnp.concatenate([near @ pushes, u @ (free * pushes)], -2)
            few, y = found[..., :kept, :], found[..., kept:, :]
            return free * (pushes + u.T @ (drag @ y)) + jnp.swapaxes(near, -1, -2) @ few, y

        x, y = under(pushes)
        # Near the frequency of a mode of the springs alone x has lost more digits than y: this finds them again.
        x += under(pushes - gap * x + u.T @ (drag @ (u @ x)))[0]
        # What nothing damps has no displacement of its own; what moves along with it has no second derivatives.
        still = jnp.abs(pushes) <= STILL * jnp.max(jnp.abs(pushes), -2, keepdims=True)
        return jnp.where(reached, x, jnp.where(still, 0.0, jnp.nan)), y

    def solve(_: Any, z: Array) -> Array:
        x, y = solved(drag, z[..., :n, :] + u.T @ (drag @ z[..., n:, :]))
        return jnp.concatenate([x, z[..., n:, :] + y], -2)

    def solve_transposed(_: Any, z: Array) -> Array:
        back = jnp.swapaxes(drag, -1, -2)
        x, y = solved(back, z[..., :n, :] + u.T @ z[..., n:, :])
        return jnp.concatenate([x, z[..., n:, :] + back @ y], -2)

    source = jnp.concatenate([pushes + 0j, jnp.zeros((*w.shape, u.shape[0], pushes.shape[-1]), complex)], -2)
    z = jax.lax.custom_linear_solve(equations, source, solve, solve_transposed)
    return jnp.where(reached, z[..., :n, :], 0.0), z[..., n:, :]


def _window(s: Spectral, m: Modes) -> tuple[Array, Array, Array]:
    """Centres and widths of all that is narrow, and the end of the window."""
    speeds = jnp.sqrt(jnp.maximum(m.squares, 0.0))
    if s.masses.size <= EXACT:
        values = jnp.linalg.eigvals(jax.lax.stop_gradient(_damped(s, m)))
        # Pairs ω − iΓ/2 and −ω − iΓ/2: those of positive ω, and what is overdamped.
        order = jnp.argsort(-values.imag)[: (values.size + 1) // 2]
        centres, widths = jnp.abs(values.imag[order]), jnp.abs(values.real[order])
    else:
        share = m.at_sites
        centres = speeds
        widths = jnp.einsum("bac,ak,ck->k", m.friction, share, share) / 2
    scales = jnp.concatenate([s.temperatures, jnp.where(jnp.isfinite(s.cutoffs), s.cutoffs, speeds[-1])])
    top = positive_or_one(speeds[-1])
    centres = jnp.concatenate([centres, jnp.zeros_like(scales)])
    widths = jnp.concatenate([jnp.maximum(widths, NARROW * top), scales])
    fastest = FAST * jnp.maximum(jnp.maximum(top, jnp.max(widths)), jnp.max(scales))
    end = jnp.minimum(fastest, HOT * jnp.max(s.temperatures)) if s.quantum else fastest
    return jax.lax.stop_gradient(centres), jax.lax.stop_gradient(widths), jax.lax.stop_gradient(end)


def _damped(s: Spectral, m: Modes) -> Array:
    """The matrix of the motion of modes, velocities, and one memory per bath and site."""
    n, r, baths = s.masses.size, len(s.sites), s.temperatures.size
    u = m.at_sites
    fading = jnp.isfinite(s.cutoffs)
    at_once = u.T @ jnp.sum(jnp.where(fading[:, None, None], 0.0, m.friction), 0) @ u
    rate = jnp.where(fading, s.cutoffs, jnp.max(m.squares) ** 0.5)
    kept = jnp.where(fading[:, None, None], m.friction * rate[:, None, None], 0.0) @ u  # (bath, r, n)
    a = jnp.zeros((2 * n + baths * r,) * 2)
    a = a.at[:n, n : 2 * n].set(jnp.eye(n)).at[n : 2 * n, :n].set(-jnp.diag(m.squares))
    a = a.at[n : 2 * n, n : 2 * n].set(-at_once).at[n : 2 * n, 2 * n :].set(-jnp.tile(u.T, (1, baths)))
    a = a.at[2 * n :, n : 2 * n].set(kept.reshape(baths * r, n))
    return a.at[2 * n :, 2 * n :].set(-jnp.diag(jnp.repeat(rate, r)))


def passed(s: Spectral, w: Array) -> Array:
    """ω[n(ω/T_b) − n(ω/T_b′)] at positive frequencies (node,): (node, bath, bath)."""
    t = s.temperatures
    x = w[:, None] / t
    apart = t[:, None] - t[None, :]
    if not s.quantum:
        return jnp.broadcast_to(apart, (w.size, *apart.shape))
    more = -1 / jnp.expm1(-x)  # 1 + n
    few = w[:, None] * jnp.exp(-x) * more
    # From the warmer bath to the colder: the other way the exponential has no end.
    down = jnp.expm1(-w[:, None, None] * jnp.maximum(apart, 0.0) / (t[:, None] * t))
    found = -few[:, :, None] * more[:, None] * down
    return found - jnp.swapaxes(found, 1, 2)


def _flows(s: Spectral, m: Modes) -> tuple[Array, Array]:
    """Heat that flows into the network from bath b (row) to bath b′, and bounds of its error (bath, bath)."""
    centres, widths, end = _window(s, m)
    net = mesh(cells(centres[:, None], widths[:, None], jnp.zeros(1), end[None]))
    # Cells without length have their nodes in their centre, which may be 0.
    w = jnp.maximum(net.nodes[..., 0], LEAST)
    t = s.temperatures

    def carried(w: Array) -> Array:
        """ω[n(ω/T_b) − n(ω/T_b′)] T_bb′/2π at the nodes of one panel (node, bath, bath)."""
        return passed(s, w) * transmission(s, m, w) / (2 * jnp.pi)

    values = jax.lax.map(carried, w, batch_size=64)
    panels = w.shape[0]
    pairs = values.reshape(panels, NODES, -1)
    stretch = jnp.broadcast_to(net.stretch, pairs.shape)
    wide = net._replace(stretch=stretch)
    rounding = jnp.full((panels, pairs.shape[-1]), 32.0 + s.masses.size)
    shape = (t.size, t.size)
    # Near a narrow mode, and near a mode of the springs alone, at which g has a pole, the rounding of ω² − ω_k² is as
    # large as its frequency over what is left there.
    near = jnp.max(w[..., None] / jnp.hypot(w[..., None] - centres, widths), -1)
    apart = jnp.abs(w[..., None] - jnp.sqrt(jnp.maximum(m.squares, 0.0)))
    pole = jnp.where(m.reached, w[..., None] / jnp.maximum(apart, EPS * w[..., None]), 0.0)
    near = jnp.maximum(near, jnp.max(pole, -1))
    doubts = jax.lax.stop_gradient(2 * EPS * near[..., None] * jnp.abs(pairs))
    found, error = (a.reshape(shape) for a in integrate(pairs, doubts, wide, rounding))
    if s.quantum:
        return found, error
    # Classical baths that share a coordinate exchange heat at all frequencies: T_bb′ falls as 1/ω² only.
    tail, doubt = _beyond(carried, end)
    return found + tail, error + doubt


def _beyond(carried: Callable[[Array], Array], end: Array) -> tuple[Array, Array]:
    """The integral from `end` to infinity of what falls as 1/ω², in u = end/ω, and its error."""
    sums = []
    for count in (BEYOND, BEYOND // 2):
        nodes, weights = np.polynomial.legendre.leggauss(count)
        u = (nodes + 1) / 2
        sums.append(jnp.einsum("n,nab->ab", weights / 2 / u**2, carried(end / u)) * end)
    return sums[0], jax.lax.stop_gradient(jnp.abs(sums[0] - sums[1]) + 64 * EPS * jnp.abs(sums[0]))


def _driven(s: Spectral, m: Modes) -> tuple[Array, Array, Array]:
    """Heat per bath and work per force of the mean motion, and a bound of their errors."""
    baths, (count, drives) = s.temperatures.size, s.pushes.shape[:2]
    if not count or not drives:
        return jnp.zeros(baths), jnp.zeros(drives), jnp.zeros(())
    heats, works, error = _response(s, m, s.pushes)
    if s.rough is not None:
        others = _response(s, m, s.rough)
        tail = jnp.sum(jnp.abs(heats[count // 2 :]), 0), jnp.sum(jnp.abs(works[count // 2 :]), 0)
        apart = [jnp.abs(jnp.sum(one - two, 0)) for one, two in zip((heats, works), others[:2], strict=True)]
        missed = [jnp.max(APART * a + t, initial=0.0) for a, t in zip(apart, tail, strict=True)]
        error = error + jax.lax.stop_gradient(jnp.maximum(*missed))
    return jnp.sum(heats, 0), jnp.sum(works, 0), error


def _response(s: Spectral, m: Modes, pushes: Array) -> tuple[Array, Array, Array]:
    """Heats (harmonic, bath) and works (harmonic, drive) under pushes, and how far rounding may change the sums."""
    count = pushes.shape[0]
    w = s.frequency * jnp.arange(1, count + 1)
    root = jnp.sqrt(s.masses)
    modal = jnp.einsum("hdi,i,ik->hdk", pushes, 1 / root, m.shapes)
    memory = 1 / (1 - 1j * w[:, None] / s.cutoffs)
    real = memory.real[..., None, None] * m.friction
    # The convention e^{−iωt} of G, where pushes are e^{+iωt}: conjugate amplitudes.
    modal = jnp.conj(modal)
    whole = jnp.einsum("hb,bij->hij", memory, m.friction)
    kept = min(len(s.sites) + 1, s.masses.size)
    x, site = (jnp.swapaxes(found, 1, 2) for found in _moved(m, whole, w, jnp.swapaxes(modal, 1, 2), kept))
    site = jnp.sum(site, 1)
    heats = -0.5 * jnp.einsum("h,ha,hbac,hc->hb", w**2, jnp.conj(site), real, site).real
    total = jnp.sum(x, 1)
    works = 0.5 * jnp.einsum("h,hdk,hk->hd", w, jnp.conj(modal), -1j * total).real
    gross = 0.5 * jnp.einsum("h,hdk,hk->", w, jnp.abs(modal), jnp.abs(total))
    # What rounding of ω² − ω_k² changes: much, near a narrow mode.
    stiff = jnp.einsum("h,hk,hk->", w * (m.squares[-1] + w**2), jnp.abs(total), jnp.sum(jnp.abs(x), 1))
    return heats, works, jax.lax.stop_gradient(EPS * (64 * s.masses.size * gross + stiff))
