"""Electrons of a biased conductor as baths of an oscillator network: Langevin's equation, their forces and noise."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, as_float, check_shape, concrete, worded
from ..baths import HeatBath
from ..numerics.dense import adjoint
from ..numerics.lacking import lacking
from ..pytrees import compiled
from .bound_states import uncounted
from .coherent import Conductor
from .electron_response import electrons
from .forces import linear_forces, looked_at, modes_of, self_energy_at
from .resonances import wide

NO_FRICTION = 1e-12
"""Friction along a motion, relative to the largest, below which its noise is no bath of any temperature."""


class Langevin(NamedTuple):
    """What `OscillatorNetwork` takes to stand for modes u (mode) of unit mass and the electrons that drive them:

    ü = −(springs) u + (force) u − Σ_b (frictions_b u̇ − ξ_b) + (berry) u̇, ⟨ξ_b ξ_bᵀ⟩ = 2T_b frictions_b δ(t−t′).

    - `springs` (mode, mode): Ω² and the renormalisation, symmetric;
    - `force` (mode, mode): the force without potential, antisymmetric, for `forces={"current": force}`: its work is
      what the current does;
    - `frictions` {name: (mode, mode)} and `baths` {name: HeatBath(T_b)}: one of rank one for each mode, `electrons 0`
      and so on, the coldest first, which together have the friction and the noise of the electrons;
    - `berry` (mode, mode): the force like that of a magnetic field, antisymmetric, 0 of one mode, which networks have
      in trajectories only (as a feedback, a function of x and v).
    """

    springs: Array
    force: Array
    frictions: dict[str, Array]
    baths: dict[str, HeatBath]
    berry: Array


@worded
def langevin(conductor: Conductor, frequency: Any = 0.0) -> Langevin:
    """The modes of a conductor with their electrons as a network of oscillators has them: springs, forces and baths.

    From the self-energy Π and the correlations S = Σ_αβ (E^{αβ} + A^{αβ})/2 at a `frequency` ω: springs Ω² + sym Re Π,
    force −antisym Re Π, friction Γ = −sym Im Π/ω, Berry force antisym Im Π/ω, and noise ⟨ξξᵀ⟩ = Re S, which needs no
    equilibrium. With Γ = LLᵀ and L⁻¹SL⁻ᵀ = Σ_b 2T_b q_b q_bᵀ there is a bath for each b, of the temperature T_b and the
    friction Lq_b(Lq_b)ᵀ. Between leads of one bath T_b is their temperature at ω = 0.

    **Arguments:** `frequency`: 0 for modes slow against the leads' temperatures (ω → 0 of all of that, as `forces` has
    it); that of a mode, for one mode that is not: then T_b is Ω(N+½) with the population N of `mode_populations`, the
    noise with its zero-point motion, so that ⟨u²⟩ = (N+½)/Ω for weak coupling. What the modes' own baths do is not in
    it: the network has baths and frictions of yours beside these, and further masses.

    InputError where electrons do not damp all modes (the current makes one grow, so that no bath holds it), with the
    friction; of traced numbers the baths are not numbers then. (J.-T. Lü, M. Brandbyge, P. Hedegård, T. N. Todorov and
    D. Dundas, "Current-induced atomic dynamics, instabilities, and Raman signals: Quasiclassical Langevin equation
    approach".)

    >>> import coldspot as cs
    >>> leads = {"left": 0.4, "right": -0.4}
    >>> junction = cs.Conductor(
    ...     [[0.1, 0.3], [0.3, -0.2]],
    ...     {name: cs.WideBandLead(k, 0.8, cs.ElectronBath(0.2, mu)) for k, (name, mu) in enumerate(leads.items())},
    ...     cs.Modes([0.5], [[[0.02, 0.01], [0.01, -0.01]]], {"phonons": cs.BosonBath(0.2)}),
    ... )
    >>> atom = langevin(junction, frequency=0.5)
    >>> network = cs.OscillatorNetwork([1.0], atom.springs, atom.frictions, atom.baths, {"electrons 0": 0})
    >>> print(f"{atom.baths['electrons 0'].temperature:.4f}")  # ½Ω coth(Ω/2T) is .2947 at the leads' T = .2
    0.3918
    """
    modes = modes_of("langevin", conductor)
    omega = as_float(frequency, "langevin: `frequency`")
    check_shape("langevin", "frequency", omega, (), "one number")
    known = concrete(omega)
    if known is not None and not (np.isfinite(known) and known >= 0):
        raise InputError(f"langevin: `frequency` must be finite and not negative, but is {float(known):g}.")
    still = known is not None and float(known) == 0.0
    found = _langevin(conductor, omega, still)
    numbers, lost = concrete(found.whole), concrete(found.lost)
    if numbers is not None and wide(conductor.leads) and (np.any(lost) or not np.isfinite(numbers).all()):
        found = _langevin(conductor, omega, still, by_poles=False)
    looked_at("langevin", found.whole)
    least = concrete(found.least)
    if least is not None and not least > NO_FRICTION:
        raise InputError(
            f"langevin: the electrons do not damp all modes: their friction matrix {np.asarray(found.friction)} has "
            f"the eigenvalue {float(least):.3g} of its largest entry, and no bath has that; `normal_modes` says which "
            "motion grows. Lower the bias, or leave out modes that no electrons touch."
        )
    names = [f"electrons {k}" for k in range(modes.frequencies.size)]
    return Langevin(
        found.springs,
        found.force,
        dict(zip(names, found.frictions, strict=True)),
        {name: HeatBath(t) for name, t in zip(names, found.temperatures, strict=True)},
        found.berry,
    )


class _Found(NamedTuple):
    springs: Array
    force: Array
    berry: Array
    friction: Array
    least: Array
    frictions: Array
    temperatures: Array
    whole: Array
    lost: Array


@compiled
def _langevin(conductor: Conductor, omega: Array, still: bool, by_poles: bool = True) -> _Found:
    """`still`: at the frequency 0; `by_poles`: between wide bands.

    `least`: the smallest eigenvalue of the friction, relative to its largest entry; `lost`: whether digits of Π are.
    """
    modes = conductor.modes
    assert modes is not None
    parts = conductor.matrix, conductor.leads, modes.couplings
    if still:
        (real, moving), lost = linear_forces(conductor, by_poles)
    else:
        (whole,), lost = self_energy_at(conductor, omega[None] + 0j, by_poles)
        real, moving = whole.real, -whole.imag / omega

    def pairs(omega: Array) -> tuple[Array, Array, Array]:
        """(E + A)/2, Λ = A − E, both Hermitian, and convergence."""
        rates = electrons(*parts, omega, rates_alone=True)
        e, a = (jnp.sum(part, axis=(0, 1)) for part in (rates.emission, rates.absorption))
        e, a = (e + adjoint(e)) / 2, (a + adjoint(a)) / 2
        return (e + a) / 2, a - e, rates.converged

    # Poles give Π to rounding of its largest part; what the electrons take out may be far less, in the tails of levels.
    if still:
        (both, density, converged), (_, slope, _) = jax.jvp(pairs, (omega,), (jnp.ones(()),))
        friction = slope.real / 2
    else:
        both, density, converged = pairs(omega)
        friction = density.real / (2 * omega)
    noise = lacking(~(converged & ~uncounted(*parts)), both.real)
    values, vectors = jnp.linalg.eigh(friction)
    least = values[0] / jnp.max(jnp.abs(friction))
    root = vectors * jnp.sqrt(jnp.where(least > NO_FRICTION, values, jnp.nan))
    back = (vectors / jnp.sqrt(jnp.where(least > NO_FRICTION, values, jnp.nan))).T
    hot, turned = jnp.linalg.eigh(back @ noise @ adjoint(back))
    columns = root @ turned
    return _Found(
        jnp.diag(modes.frequencies**2) + (real + real.T) / 2,
        -density.imag / 2,
        -(moving - moving.T) / 2,
        friction,
        least,
        jnp.einsum("ib,jb->bij", columns, columns),
        hot / 2,
        jnp.concatenate([real, moving, noise]),
        lost,
    )
