"""Third and fourth cumulants of charge and heat, by integration over energy: one point of a batch.

Levitov and Lesovik's generating function per time is ∫dε/2π ln det[1 + W(f_L(1−f_R)(e^λ−1) + f_R(1−f_L)(e^{−λ}−1))]
for electrons from L to R, with W = Γ_L G^r_LR Γ_R G^a_RL, whose eigenvalues are the transmissions of the channels. With
d = f_L − f_R, s = f_L(1−f_R) + f_R(1−f_L) and t_k = tr W^k its derivatives at λ = 0 are the integrals of

κ_3: d t_1 − 3ds t_2 + 2d³ t_3,    κ_4: s t_1 − (4d² + 3s²) t_2 + 12d²s t_3 − 6d⁴ t_4.

Between any leads it is ∫dε/2π ln det[1 + f(S†e^{−λP_α}Se^{λP_α} − 1)], counted in the lead α, and with the elements B
of `noise` that is ln det[1 + fΓB D], D = e^λ − 1 in α and 1 − e^{−λ} in all others: a power series in λ, whose matrices
need not commute under the trace. Where leads are full it is that of the holes, ln det[1 − (1−f)ΓB D'] with λ → −λ in D'
and −D' in its place, so that nothing is left of what is filled everywhere.

What an electron carries, 1 or ε−μ, is its power n in κ_n, with the sign of its direction. (L. S. Levitov and
G. B. Lesovik, "Charge distribution in quantum shot noise"; H. Lee, L. S. Levitov and A. Yu. Yakovets, "Universal
statistics of transport in disordered conductors".)
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError
from ..numerics.dense import EPS, adjoint, product
from ..occupation import fermi, fermi_product
from ..pytrees import Table
from .green_functions import Contacts, transmission_between
from .landauer import Energies, baths_of, fermi_gap, over_window, steepness
from .long_devices import Slices
from .noise import Noise, Weighed, none_at_all

MOST = 4
"""The highest order that is known."""
PAIR = 2
"""Leads between which all cumulants are those of what passes from one to the other."""


def check_order(order: int) -> None:
    """Refuses an order that is not known of a conductor."""
    if order > MOST:
        raise InputError(f"counting: a Conductor has cumulants 1 to {MOST}, but order {order} is asked for.")


def higher(hamiltonian: Array | Slices, leads: Table, counted: tuple[Weighed, ...], order: int) -> Noise:
    """Cumulants 3 to `order` (target, order) of one conductor."""
    if len(leads) == 1:
        return none_at_all((len(counted), order - 2))
    if len(leads) != PAIR:
        return _between_many(hamiltonian, leads, counted, order)
    potentials, temperatures = baths_of(leads)
    orders = range(3, order + 1)

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        traces, doubts = _traces(c, order)
        x, y = seen.reduced
        unlike = (temperatures[1] - temperatures[0]) / temperatures[0]
        lean = (seen.above[0] * unlike + (potentials[1] - potentials[0])) / temperatures[1]
        d, s = fermi_gap(x, y, lean), fermi_product(x, y) + fermi_product(y, x)
        steep = steepness(x, y, lean) + jnp.minimum(
            jnp.abs(x) * fermi(-jnp.abs(x)) + jnp.abs(y) * fermi(-jnp.abs(y)), 750.0
        )
        rounding = order * EPS * (8 + steep)
        factors = {3: (d, -3 * d * s, 2 * d**3), 4: (s, -(4 * d**2 + 3 * s**2), 12 * d**2 * s, -6 * d**4)}
        values, errors = [], []
        for one in counted:
            carried = jnp.ones_like(d)
            if one.power:
                carried = (seen.reduced if one.reduced else seen.above)[one.lead]
            carried = -carried if one.lead else carried
            for n in orders:
                terms = list(zip(factors[n], traces[:n], doubts[:n], strict=True))
                weight = carried**n / (2 * jnp.pi)
                values.append(weight * sum(a * t for a, t, _ in terms))
                errors.append(jnp.abs(weight) * sum(jnp.abs(a) * (e + rounding * jnp.abs(t)) for a, t, e in terms))
        return jnp.stack(values), jax.lax.stop_gradient(jnp.stack(errors))

    found, unique, good = over_window(hamiltonian, leads, integrand, len(counted) * len(orders))
    value, error, scale = (part.reshape(len(counted), len(orders)) for part in found[:3])
    return Noise(value, error, scale, found.converged, unique, good)


def _traces(c: Contacts, most: int) -> tuple[list[Array], list[Array]]:
    """tr W^k (node) for k = 1 to `most`, and bounds of their rounding errors."""
    block = (..., c.places[0][:, None], c.places[1])
    green, size = c.green[block], jnp.abs(c.green[block])
    back = jnp.swapaxes(size, -1, -2)
    left, right = (jnp.abs(width) for width in c.widths)
    w = product(product(c.widths[0], green), product(c.widths[1], adjoint(green)))
    sizes = product(product(left, size), product(right, back))
    doubt = product(product(left, 2 * c.doubt[block] + 8 * EPS * size), product(right, back))
    for k, unsure in enumerate(c.unsure):
        if unsure is not None:
            more = unsure + jnp.swapaxes(unsure, -1, -2)
            doubt += product(product(left if k else more, size), product(more if k else right, back))
    values, errors = [], []
    power, bound = w, sizes
    for k in range(1, most + 1):
        if k > 1:
            errors.append(k * _trace(product(bound, doubt + 8 * EPS * sizes)))
            power, bound = product(power, w), product(bound, sizes)
        else:
            errors.append(_trace(doubt))
        values.append(_trace(power))
    return values, errors


def _trace(matrix: Array) -> Array:
    return jnp.trace(matrix, axis1=-2, axis2=-1).real


def _between_many(hamiltonian: Array | Slices, leads: Table, counted: tuple[Weighed, ...], order: int) -> Noise:
    """The same between any number of leads."""
    orders = range(3, order + 1)

    def integrand(c: Contacts, seen: Energies) -> tuple[Array, Array]:
        known, alone = {}, {}
        for lead in sorted({one.lead for one in counted}):
            known[lead] = _series(c, seen, lead, order)
            alone[lead] = sum(
                transmission_between(c, lead, k)
                * (fermi_product(x, seen.reduced[lead]) + fermi_product(seen.reduced[lead], x))
                for k, x in enumerate(seen.reduced)
                if k != lead
            )
        values, errors, sizes = [], [], []
        for one in counted:
            carried = jnp.ones_like(seen.above[one.lead])
            if one.power:
                carried = (seen.reduced if one.reduced else seen.above)[one.lead]
            for n in orders:
                value, error = known[one.lead][n]
                weight = carried**n / (2 * jnp.pi)
                values.append(weight * value)
                errors.append(jnp.abs(weight) * error)
                # What electrons that pass one by one would give: odd cumulants may cancel.
                sizes.append(jnp.abs(weight) * alone[one.lead])
        each = jnp.stack(values + sizes), jnp.stack(errors + [8 * EPS * size for size in sizes])
        return each[0], jax.lax.stop_gradient(each[1])

    found, unique, good = over_window(hamiltonian, leads, integrand, 2 * len(counted) * len(orders))
    value, scale = found.value.reshape(2, len(counted), len(orders))
    error = found.error.reshape(2, len(counted), len(orders))[0]
    return Noise(value, error, scale, found.converged, unique, good)


def _series(c: Contacts, seen: Energies, lead: int, order: int) -> dict[int, tuple[Array, Array]]:
    """∂ⁿ ln det/∂λⁿ (node) for n = 1 to `order`, and bounds of their rounding errors.

    ln det(1+X) of X = Σ_j λ^j Z_j has the coefficients (m+1)c_{m+1} = Σ_j (j+1) tr[W_{m−j}Z_{j+1}], with the series W
    of (1+X)⁻¹: W_0 = 1, W_k = −Σ_j Z_jW_{k−j}.
    """
    # Of all channels at once: a site that several leads touch is one of each.
    channels = np.concatenate(c.places)
    owner = np.repeat(np.arange(len(c.places)), [place.size for place in c.places])
    here = (owner == lead)[:, None] * 1.0
    green, unsure = (part[..., channels[:, None], channels] for part in (c.green, c.doubt))
    sizes_ = jnp.abs(green)
    width, more = jnp.zeros_like(green), jnp.zeros_like(sizes_)
    for k, own in enumerate(c.widths):
        at = (..., np.flatnonzero(owner == k)[:, None], np.flatnonzero(owner == k))
        width = width.at[at].set(own)
        extra = c.unsure[k]
        if extra is not None:
            more = more.at[at].set(extra + jnp.swapaxes(extra, -1, -2))
    inside, rough = width * here, jnp.abs(width)
    value = 1j * here * green - 1j * adjoint(green) * here.T - adjoint(green) @ inside @ green
    back, back_unsure = jnp.swapaxes(sizes_, -1, -2), jnp.swapaxes(unsure, -1, -2)
    size = here * sizes_ + back * here.T + back @ (here * rough) @ sizes_
    doubt = here * unsure + back_unsure * here.T + back_unsure @ (here * rough) @ sizes_
    doubt += back @ (here * rough) @ unsure + back @ (here * more) @ sizes_ + 8 * EPS * size
    x = seen.reduced
    holes = jnp.mean(x < 0, axis=0) > 1 / 2
    way = jnp.where(holes, -1.0, 1.0)[:, None, None]
    x = jnp.where(holes, -x, x)[owner].T[:, :, None]
    z = fermi(x) * way * (width @ value)
    steep = 8 + jnp.minimum(jnp.abs(x) * fermi(-x), 750.0)
    doubt = fermi(x) * (rough @ doubt + more @ size + EPS * steep * (rough @ size))
    size = jnp.abs(z) + doubt
    sign = (2 * here.T - 1) * way  # (node, 1, channel): which columns turn over in even powers
    one = jnp.broadcast_to(jnp.eye(owner.size), z.shape)
    inverses, doubts = [one + 0j], [jnp.zeros_like(one)]
    found = {}
    steps = [(z if j % 2 else z * sign) / math.factorial(j) for j in range(1, order + 1)]
    for m in range(order):
        value, error = jnp.zeros(z.shape[0]), jnp.zeros(z.shape[0])
        for j in range(m + 1):
            part = math.factorial(j)  # (j+1)/(j+1)!
            before, unsure = inverses[m - j], doubts[m - j]
            value += (j + 1) * _trace(before @ steps[j])
            error += _trace(jnp.abs(before) @ doubt + (unsure + 8 * EPS * jnp.abs(before)) @ size) / part
        found[m + 1] = math.factorial(m) * value, math.factorial(m) * error
        if m + 1 == order:
            break
        inverse, unsure = jnp.zeros_like(inverses[0]), jnp.zeros_like(one)
        for j in range(m + 1):
            before = inverses[m - j]
            inverse -= steps[j] @ before
            more = size @ (doubts[m - j] + 8 * EPS * jnp.abs(before)) + doubt @ jnp.abs(before)
            unsure += more / math.factorial(j + 1)
        inverses.append(inverse)
        doubts.append(unsure)
    return found
