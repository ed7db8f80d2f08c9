"""What the electrons of a conductor, and the baths that damp them, make of its modes: populations and temperatures."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .. import printed, show
from .._attributes import Spoken
from .._checks import InputError, check_type, concrete, worded
from ..compiler import is_traced
from ..numerics.lacking import lacking
from ..occupation import bose
from ..pytrees import compiled
from ..solution import SolveError, Status
from .bound_states import bound_pairs
from .coherent import Conductor
from .electron_response import ROUNDING, electrons
from .inelastic import Bosons, inelastic
from .population import Balance
from .resonances import wide


class ModePopulations(Spoken, eqx.Module):
    """Of each mode (mode), dN/dt = E(N+1) − A N, excited and damped by pairs, and by its bath if it has a damping.

    - `emissions` E, `absorptions` A: golden-rule rates summed over all kinds of pairs, with 1/2Ω for the unit mass, and
      of a bath with damping γ and n = n_B(Ω/T), E += γn and A += γ(1+n);
    - `populations` N = E/(A−E); `effective_temperatures` Ω/ln(A/E); `effective_chemical_potentials`
      Ω − T_e ln(A/E), which are not numbers where baths differ in temperature;
    - `errors`: bounds of the errors of E and A (2, mode); `population_errors`, `temperature_errors` and
      `potential_errors` (mode) of the others, the last two not numbers where nothing emits;
    - `stable`: A > E. What is unstable has no numbers.
    """

    emissions: Array
    absorptions: Array
    populations: Array
    effective_temperatures: Array
    effective_chemical_potentials: Array
    errors: Array
    population_errors: Array
    temperature_errors: Array
    potential_errors: Array
    stable: Array

    def _sheet(self) -> tuple[str, list[printed.Table], list[str]]:
        rows = [
            (
                str(k),
                show.measured(self.emissions[k], self.errors[0, k]),
                show.measured(self.absorptions[k], self.errors[1, k]),
                show.measured(self.populations[k], self.population_errors[k]),
                show.measured(self.effective_temperatures[k], self.temperature_errors[k]),
                show.measured(self.effective_chemical_potentials[k], self.potential_errors[k]),
            )
            for k in range(len(self.emissions))
        ]
        head = ("mode", "emission", "absorption", "population", "effective T", "effective μ")
        growing = [str(k) for k in range(len(self.emissions)) if not bool(self.stable[k])]
        words = f"not stable: {', '.join(growing)}" if growing else "all stable"
        return "populations of modes", [(head, rows)], [words]

    def __repr__(self) -> str:
        if is_traced(self.emissions) or np.ndim(self.emissions) != 1:
            return f"ModePopulations(traced or batched; shape {np.shape(self.emissions)})"
        return printed.sheet(*self._sheet())

    def _repr_html_(self) -> str:
        if is_traced(self.emissions) or np.ndim(self.emissions) != 1:
            return show.escaped(repr(self))
        return printed.sheet_html(*self._sheet())


@worded
def mode_populations(conductor: Conductor, *, throw: bool = True) -> ModePopulations:
    """The modes of a conductor under its electrons and, where they have `dampings`, their baths: see `ModePopulations`.

    Without dampings the electrons are the only baths, and the modes' own baths are not looked at.

    Pairs αβ of leads at one temperature T_e are baths of bosons of chemical potential μ_α − μ_β. (Hu, Nian and Lü,
    "Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport", eqs. 8–12.)

    States outside of the bands of `ChainLead`s take part with the occupation that all leads agree on.

    `throw`: whether to raise `SolveError`: `UNSTABLE` if a mode emits more than it absorbs, and grows without limit;
    `NOT_UNIQUE` if leads do not agree on a state without width, or it is dark inside the bands.

    >>> import coldspot as cs
    >>> baths = {"left": cs.ElectronBath(0.3), "right": cs.ElectronBath(0.3)}
    >>> junction = cs.Conductor(
    ...     [[0.4, 0.3], [0.3, -0.4]],
    ...     {name: cs.WideBandLead(k, 0.2, bath) for k, (name, bath) in enumerate(baths.items())},
    ...     modes=cs.Modes([0.8], [[[0, 0.3], [0.3, 0]]], {"phonons": cs.BosonBath(0.5)}),
    ... )
    >>> print(cs.mode_populations(junction).effective_temperatures.round(9))  # that of the leads
    [0.3]
    """
    check_type("mode_populations", "conductor", conductor, Conductor)
    if conductor.modes is None:
        raise InputError("mode_populations: the conductor has no `modes`.")
    found = _populations(conductor)
    stable, emissions = concrete(found.stable), concrete(found.emissions)
    if throw and emissions is not None and np.isnan(emissions).any():
        raise SolveError(
            f"no populations (NOT_UNIQUE): mode {int(np.argmax(np.isnan(emissions)))} takes electrons from or to a "
            "state without width, outside of the leads' bands or dark in them, on whose occupation the leads do not "
            "agree. Give a lead a width there.",
            Status.NOT_UNIQUE,
            found,
        )
    if throw and stable is not None and not stable.all():
        k = int(np.argmin(stable))
        raise SolveError(
            f"no steady population (UNSTABLE): electrons emit into mode {k} at the rate {float(found.emissions[k]):g} "
            f"and absorb at {float(found.absorptions[k]):g}; it grows without limit unless a bath damps it.",
            Status.UNSTABLE,
            found,
        )
    return found


@compiled
def _populations(conductor: Conductor) -> ModePopulations:
    assert conductor.modes is not None
    modes, held = conductor.modes, conductor.modes.temperatures()
    temperatures = jnp.stack([lead.bath.temperature for lead in conductor.leads.values()])
    warm = jnp.max(temperatures)  # with whose bosons modes are compared

    def one(k: Array) -> tuple[Array, Array]:
        """Emission, absorption and what the bosons of `warm` gain, and bounds of their errors."""
        omega = modes.frequencies[k]
        if wide(conductor.leads):
            mode = Bosons(omega, modes.couplings[k], warm)
            both = inelastic(conductor.matrix, conductor.leads, mode)[:2]
            value, bound = (jnp.stack([one.emission, one.absorption, one.energy / omega]) for one in both)
            return value, bound
        coupling = modes.couplings[k]
        found = electrons(conductor.matrix, conductor.leads, coupling[None], omega, rates_alone=True, compared=warm)
        fixed = bound_pairs(conductor.matrix, conductor.leads, coupling, omega, warm)
        assert found.gain is not None
        each = jnp.stack([jnp.sum(part).real for part in (found.emission, found.absorption, found.gain)])
        more = jnp.stack([fixed.emission, fixed.absorption, fixed.gain])
        each = lacking(~fixed.known, each + more) / (2 * omega)
        error = len(conductor.leads) ** 2 * found.pair_errors + ROUNDING * jnp.abs(more)
        return each, jnp.where(found.converged, error / (2 * omega), jnp.inf)

    each, bounds = jax.lax.map(one, jnp.arange(modes.frequencies.size))
    omega, own = modes.frequencies, modes.rates()
    n, number = bose(omega / held), bose(omega / warm)
    e, a = each[:, 0] + own * n, each[:, 1] + own * (1 + n)
    balance = Balance(e, a, each[:, 2] + own * (n - number), number)
    rounding = ROUNDING * own * jnp.stack([n, 1 + n, jnp.abs(n - number)])
    common = jnp.all(temperatures == temperatures[0]) & ((own == 0) | (held == temperatures[0]))
    (number, temperature, potential), errors = balance.state(omega, warm, common, bounds.T + rounding)
    of_number, of_temperature, of_potential = errors
    return ModePopulations(
        e,
        a,
        number,
        temperature,
        potential,
        bounds.T[:2],
        of_number,
        of_temperature,
        of_potential,
        balance.stable(),
    )
