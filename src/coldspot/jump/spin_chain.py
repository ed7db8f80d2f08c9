"""The open Ising chain in a field between two baths: small ones as a jump network, long ones by Krylov iterations."""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._checks import InputError, Rule, as_float, check_memory, check_shape, check_type
from ..baths import Bath
from ..compiler import plainly
from ..drives import Drive
from ..dynamics import Counted, Dynamics, Outcome, Target
from ..numerics.blocks import one_by_one
from ..pytrees import Table
from .channels import Channel
from .ising import Chain, counted, signs, steady
from .ising_periodic import Driven
from .ising_periodic import steady as steady_cycle
from .kinetics import Glauber
from .network import JumpNetwork
from .quick import lanes

OWNER = "SpinChain"
DENSE = 4
"""Chains up to this length are solved as jump networks."""
MATRICES = 7
"""Chains up to this length are asked as jump networks for what else has no method of its own, """
FOLLOWED = 10
"""and followed jump by jump, where nothing is driven."""
ARRAYS = 24
"""Numbers for each spin in each state that the solution of a long chain keeps, about."""


class _Energies(eqx.Module):
    """E(σ) = −J Σ σ_k σ_{k+1} − h Σ σ_k, of numbers or of the drives' values."""

    coupling: Array | None
    field: Array | None
    spins: int = eqx.field(static=True)

    def __call__(self, values: Mapping[str, Any]) -> Array:
        sigma = signs(self.spins)
        coupling = values["coupling"] if self.coupling is None else self.coupling
        field = values["field"] if self.field is None else self.field
        return -coupling * np.sum(sigma[1:] * sigma[:-1], axis=0) - field * np.sum(sigma, axis=0)


class _Constant(eqx.Module):
    value: Array

    def __call__(self, phase: Array) -> Array:
        return self.value


class _Flips(eqx.Module):
    """Flips at a driven rate."""

    def __call__(self, values: Mapping[str, Any]) -> Glauber:
        return Glauber(values["rate"])


class SpinChain(Dynamics):
    """An open chain of N Ising spins in a field,  E = −J Σ σ_k σ_{k+1} − h Σ σ_k,  between two baths.

    Each spin flips at the rate r(1 − tanh(ΔE/2T)) of R. J. Glauber ("Time-dependent statistics of the Ising model"),
    by the bath `left` at the first half of the sites (k < N/2), by `right` at the others. Energies and temperatures in
    one unit, rates in its inverse (k_B = ħ = 1).

    - `spins` N ≥ 2; `coupling` J, `field` h, `rate` r: numbers, or smooth drives of a common `period`, which do work
      under these names (a driven rate does none);
    - `left`, `right`: baths of heat or bosons.

    State i has spin k down where bit k of i is set. Chains of more than four spins are solved by Krylov iterations
    without a matrix (2^N states); the error of each heat is its dual-weighted residual.

    >>> import coldspot as cs
    >>> s = cs.steady_state(cs.SpinChain(8, 1.0, 0.3, 0.5, cs.HeatBath(1.5), cs.HeatBath(1.0)))
    >>> f"{float(s.heat['left']):.8f}"
    '0.02599952'
    """

    coupling: Any = eqx.field(metadata={"dimension": "energy"})
    field: Any = eqx.field(metadata={"dimension": "energy"})
    rate: Any = eqx.field(metadata={"dimension": "rate"})
    left: Bath
    right: Bath
    period: Array | None = eqx.field(metadata={"dimension": "time"})
    spins: int = eqx.field(static=True)

    def __init__(
        self, spins: int, coupling: Any, field: Any, rate: Any, left: Bath, right: Bath, period: Any = None
    ) -> None:
        if isinstance(spins, bool) or not isinstance(spins, int | np.integer) or spins < 2:
            raise InputError(f"{OWNER}: `spins` must be an integer of at least 2, but is {spins!r}.")
        self.spins = int(spins)
        check_memory(
            f"{OWNER}: `spins` = {spins} makes 2^{spins} states and",
            ARRAYS * 8 * self.spins * 2.0**self.spins if self.spins < 1000 else np.inf,
            "take fewer: heats of longer chains differ little.",
        )
        for name, given in (("coupling", coupling), ("field", field), ("rate", rate)):
            value = given if isinstance(given, Drive) else as_float(given, f"{OWNER}: `{name}`")
            if not isinstance(value, Drive):
                check_shape(OWNER, name, value, (), "one number, or a Drive")
            setattr(self, name, value)
        for name, bath in (("left", left), ("right", right)):
            check_type(OWNER, name, bath, Bath)
            if bath.exchanges_particles:
                raise InputError(
                    f"{OWNER}: `{name}` must be a HeatBath or a BosonBath (spins hold no particles): {bath!r}."
                )
        self.left, self.right = left, right
        if self.drives and period is None:
            raise InputError(f"{OWNER}: `period` is missing, but the chain is driven ({', '.join(self.drives)}).")
        if not self.drives and period is not None:
            raise InputError(f"{OWNER}: `period` is given ({period}), but nothing is driven.")
        self.period = None if period is None else as_float(period, f"{OWNER}: `period`")
        if self.period is not None:
            check_shape(OWNER, "period", self.period, (), "one number")
            kinked = [name for name, drive in self.drives.items() if drive.borders().shape[-1]]
            if kinked and self.spins > DENSE:
                raise InputError(
                    f"{OWNER}: the drive `{kinked[0]}` jumps or has kinks; such chains are solved up to {DENSE} spins, "
                    f"but `spins` is {self.spins}: take a smooth drive (Cosine, Fourier)."
                )

    def rules(self) -> Iterable[Rule]:
        for name in ("coupling", "field", "rate"):
            value = getattr(self, name)
            if not isinstance(value, Drive):
                xp, value = plainly(value)
                yield Rule(xp.isfinite(value), lambda n=name, v=value: f"`{n}` must be finite, but is {v:g}.")
        if not isinstance(self.rate, Drive):
            yield Rule(self.rate > 0, lambda: f"`rate` must be positive, but is {self.rate:g}.")
        if self.period is not None:
            xp, period = plainly(self.period)
            yield Rule(
                xp.isfinite(period) & (period > 0), lambda: f"`period` must be positive and finite, but is {period:g}."
            )

    @property
    def baths(self) -> Table:
        return Table({"left": self.left, "right": self.right})

    @property
    def drives(self) -> Table:
        given = {name: getattr(self, name) for name in ("coupling", "field", "rate")}
        return Table({name: value for name, value in given.items() if isinstance(value, Drive)})

    @property
    def half(self) -> int:
        """How many spins the left bath flips: the sites k < N/2."""
        return (self.spins + 1) // 2

    def network(self) -> JumpNetwork:
        """The same chain as a jump network of 2^N states."""
        coupling, field = (None if isinstance(x, Drive) else x for x in (self.coupling, self.field))
        energies: Any = _Energies(coupling=coupling, field=field, spins=self.spins)
        if not self.drives:
            energies = energies({})
        states = np.arange(1 << self.spins)
        channels = []
        for k in range(self.spins):
            up = states[(states >> k) & 1 == 0]
            kinetics = _Flips() if isinstance(self.rate, Drive) else Glauber(self.rate)
            channels.append(Channel("left" if k < self.half else "right", up, up + (1 << k), kinetics))
        drives = dict(self.drives) if self.drives else None
        return JumpNetwork(energies, dict(self.baths), channels, drives=drives, period=self.period)

    def solve(self, tolerance: Array) -> Outcome:
        if self.spins <= DENSE:
            return self._networks().solve(tolerance)
        if self.drives:
            arrays, static = eqx.partition(self, eqx.is_array)
            return one_by_one(lambda one: eqx.combine(one, static)._driven(tolerance), arrays)
        return one_by_one(lambda one: steady(self.spins, self.half, one), self._numbers())

    def _driven(self, tolerance: Array) -> Outcome:
        """Of one long chain."""
        given = (self.coupling, self.field, self.rate)
        lines = [x if isinstance(x, Drive) else _Constant(x) for x in given]

        def forces(phase: Array) -> Array:
            slopes = [jax.jvp(line, (phase,), (jnp.ones_like(phase),))[1] for line in lines[:2]]
            return jnp.stack([line(phase) for line in lines] + slopes)

        working = tuple(k for k in range(2) if isinstance(given[k], Drive))
        assert self.period is not None
        numbers = Driven(forces, working, self.left.temperature, self.right.temperature, self.period)
        return steady_cycle(self.spins, self.half, numbers, len(self.drives) - len(working), tolerance)

    def attempt(self, tolerance: Array, cost: int) -> Outcome | None:
        return self._networks().attempt(tolerance, cost) if self.spins <= DENSE else None

    def block(self, cost: int) -> int | None:
        return lanes(2**self.spins) if cost == 0 and self.spins <= DENSE and not len(self.drives) else None

    def _networks(self) -> JumpNetwork:
        """Of a batch."""
        return eqx.filter_vmap(lambda one: one.network(), out_axes=eqx.if_array(0))(self)

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        if self._counted_by_matrices():
            return self._networks().cumulants(targets, order, tolerance)
        return self._counted(targets, order, False)

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        if self._counted_by_matrices():
            return self._networks().covariances(targets, tolerance)
        return self._counted(targets, 2, True)

    def mixed_cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        if self._counted_by_matrices():
            return self._networks().mixed_cumulants(targets, order, tolerance)
        return self._counted(targets, order, True)

    def _counted_by_matrices(self) -> bool:
        if self.drives:
            self._check_few(f"counting under a drive ({', '.join(self.drives)})")
        return self.spins <= DENSE or len(self.drives) > 0

    def uncertainties(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        self._check_few("counting: uncertainty quotients", DENSE)
        return self._networks().uncertainties(targets, tolerance)

    def noise_spectra(self, targets: tuple[Target, ...], frequencies: Array, tolerance: Array) -> Counted:
        self._check_few("counting: noise spectra")
        return self._networks().noise_spectra(targets, frequencies, tolerance)

    def generating_function(self, targets: tuple[Target, ...], fields: Array, tolerance: Array) -> Counted:
        self._check_few("counting: generating functions")
        return self._networks().generating_function(targets, fields, tolerance)

    def rate_function(self, target: Target, currents: Array, tolerance: Array) -> Counted:
        self._check_few("counting: rate functions")
        return self._networks().rate_function(target, currents, tolerance)

    def _counted(self, targets: tuple[Target, ...], order: int, mixed: bool) -> Counted:
        """Of a batch of long chains."""
        check_memory(
            f"counting: `spins` = {self.spins} make 2^{self.spins} states and, to order {order},",
            ARRAYS * order * 8 * self.spins * 2.0**self.spins,
            "take fewer spins, or a lower order.",
        )
        return one_by_one(lambda one: counted(self.spins, self.half, one, targets, order, mixed), self._numbers())

    def _numbers(self) -> Chain:
        return Chain(self.coupling, self.field, self.rate, self.left.temperature, self.right.temperature)

    def trajectories(self, key: Array, n: int, time: Any, **options: Any) -> Any:
        self._check_few("trajectories", MATRICES if self.drives else FOLLOWED)
        return self.network().trajectories(key, n, time, **options)

    def _check_few(self, verb: str, most: int = MATRICES) -> None:
        if self.spins > most:
            raise InputError(
                f"{verb}: it is known for chains of at most {most} spins, but `spins` is {self.spins}: it takes dense "
                f"matrices of 2^{self.spins} = {2.0**self.spins:g} states; take fewer spins."
            )
