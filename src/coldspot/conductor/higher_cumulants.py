"""Third and fourth cumulants of charge and heat between two leads, by integration over energy: one point of a batch.

Levitov and Lesovik's generating function per time is ∫dε/2π ln det[1 + W(f_L(1−f_R)(e^λ−1) + f_R(1−f_L)(e^{−λ}−1))]
for electrons from L to R, with W = Γ_L G^r_LR Γ_R G^a_RL, whose eigenvalues are the transmissions of the channels. With
d = f_L − f_R, s = f_L(1−f_R) + f_R(1−f_L) and t_k = tr W^k its derivatives at λ = 0 are the integrals of

κ_3: d t_1 − 3ds t_2 + 2d³ t_3,    κ_4: s t_1 − (4d² + 3s²) t_2 + 12d²s t_3 − 6d⁴ t_4.

What an electron carries, 1 or ε−μ, is its power n in κ_n, with the sign of its direction. (L. S. Levitov and
G. B. Lesovik, "Charge distribution in quantum shot noise"; H. Lee, L. S. Levitov and A. Yu. Yakovets, "Universal
statistics of transport in disordered conductors".)
"""

import jax
import jax.numpy as jnp
from jax import Array

from .._checks import InputError
from ..numerics.dense import EPS, adjoint, product
from ..occupation import fermi, fermi_product
from ..pytrees import Table
from .green_functions import Contacts
from .landauer import Energies, baths_of, fermi_gap, over_window, steepness
from .long_devices import Slices
from .noise import Noise, Weighed

MOST = 4
"""The highest order that is written out."""


def check_order(order: int, leads: Table) -> None:
    """Refuses an order that is not known of a conductor."""
    if order > MOST:
        raise InputError(f"counting: a Conductor has cumulants 1 to {MOST}, but order {order} is asked for.")
    if order > 2 and len(leads) != 2:
        raise InputError(
            f"counting: cumulants beyond the second are known of a Conductor between two leads, but order {order} is "
            f"asked for with {len(leads)} ({', '.join(leads)})."
        )


def higher(hamiltonian: Array | Slices, leads: Table, counted: tuple[Weighed, ...], order: int) -> Noise:
    """Cumulants 3 to `order` (target, order) of one conductor between two leads."""
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
