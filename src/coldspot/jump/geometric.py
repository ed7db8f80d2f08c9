"""What flows in slow cycles of two parameters beside the steady flow: a curvature over their plane.

While parameters λ(t) change slowly, the state lags behind: p = p_s + L⁺ dp_s/dt + …. What a target counts in a cycle is
then its steady current, integrated over time, and a part that depends on the path alone,

    ∮ A·dλ,      A_μ = −Σ_i x_i ∂p_i/∂λ_μ,

with the function x of the state whose changes tell what will still be counted: Σ_{e from j} w_e (a_e + x_i − x_j) is
the same for every state j. For two parameters it is the integral of F = ∂_1 A_2 − ∂_2 A_1 = −(∂_1x·∂_2p − ∂_2x·∂_1p)
over the area that is encircled from 1 to 2 (N. A. Sinitsyn and I. Nemenman, "The Berry phase and the pump flux in
stochastic chemical kinetics"; J. Ren, P. Hänggi and B. Li, "Berry-phase-induced heat pumping and its impact on the
fluctuation theorem").
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from .. import paths
from .._attributes import Spoken
from .._checks import InputError, Values, worded
from ..counting import Counting, check
from ..dynamics import Target, as_dynamics, is_traced, with_rules
from ..pytrees import compiled
from ..solution import SolveError, Status
from .cumulants import amounts, edges, faults, flows_at, judged, probed, solve_left
from .system import System
from .tilted import along


class Curvature(Spoken, eqx.Module):
    """`value` F with the bound `error`, and a `status`."""

    value: Values
    error: Values
    status: Values

    @property
    def ok(self) -> Values:
        return self.status == int(Status.OK)


@compiled
def _curvature(machine: Any, places: tuple[str, str], target: Target) -> Curvature:
    here = jnp.stack([paths.get(machine, place) for place in places])

    def system_at(x: Array) -> tuple[Any, Array]:
        changed = paths.replace(paths.replace(machine, places[0], x[0]), places[1], x[1])
        return with_rules(changed)

    def state(x: Array) -> tuple[Array, Array]:
        """x and p (state, point), probes behind the point itself."""
        system, _ = system_at(x)
        g = system.graph()
        s = jax.tree.map(lambda leaf: leaf[..., None], system.snapshot(jnp.zeros(())))
        rates, half = probed(g, s).log_rates, len(g.initial.array)
        flows = flows_at(g, rates[:half], rates[half:])
        amount = edges(amounts(system, s, (target,)))[0]
        return along(g, solve_left(flows, amount) - amount), flows.p

    dx, dp = jax.jacfwd(state)(here)
    found = -jnp.sum(dx[..., 0] * dp[..., 1] - dx[..., 1] * dp[..., 0], axis=0)
    system, good = system_at(here)
    g = system.graph()
    s = jax.tree.map(lambda leaf: leaf[..., None], system.snapshot(jnp.zeros(())))
    value, error = (x[0] for x in judged(g, s, found))
    wrong = faults(g, s, len(system.components()) == 1)
    conditions = [
        ~good | wrong[Status.INVALID][0],
        wrong[Status.NOT_UNIQUE][0],
        ~(jnp.isfinite(value) & jnp.isfinite(error)),
    ]
    codes = [int(Status.INVALID), int(Status.NOT_UNIQUE), int(Status.NOT_FINITE)]
    return Curvature(value, error, jnp.select(conditions, codes, 0))


@worded
def curvature(machine: Any, parameters: tuple[str, str], quantity: str, of: str, *, throw: bool = True) -> Curvature:
    """The geometric part of what a slow cycle of two parameters pumps, per area in their plane.

    **Arguments:** `machine`, a jump network that is not driven, or a machine that is one; `parameters`, the dotted
    paths of two of its numbers; `quantity`, "heat", "particles", "entropy" or "work" (of a reservoir), and `of`: the
    name of the bath or reservoir; `throw`: whether to raise `SolveError` if the number cannot be trusted.

    **Returns:** `Curvature`: F, whose integral over an area is what flows into the system in each cycle around it,
    from the first parameter's axis to the second's, in the limit of slow driving; what flows steadily comes on top of
    it, and does not change sign when the cycle is reversed.

    >>> import coldspot as cs
    >>> net = cs.JumpNetwork(
    ...     energies=[0.0, 1.0],
    ...     baths={"left": cs.BosonBath(1.0), "right": cs.BosonBath(1.0)},
    ...     channels=[cs.Channel(name, 0, 1, cs.Bosonic(0.1)) for name in ("left", "right")],
    ... )
    >>> f = cs.jump.curvature(net, ("baths.left.temperature", "baths.right.temperature"), "heat", "left")
    >>> print(f"{f.value:.10f}")
    0.0418251646
    """
    system = as_dynamics(machine)
    if not isinstance(system, System) or len(system.drives):
        raise InputError("curvature: it is that of a jump network without drives; parameters are moved by hand.")
    system.check_complete("curvature")
    if len(parameters) != 2:
        raise InputError(f"curvature: `parameters` must be two paths, but are {parameters!r}.")
    for path in parameters:
        if getattr(paths.get(machine, path), "shape", None) != ():
            raise InputError(f"curvature: `{path}` must be one number.")
    (target,) = Counting(quantity, of).plan.targets
    check((target,), system)
    found = _curvature(machine, tuple(parameters), target)
    if throw and not is_traced(found.status) and int(found.status) != int(Status.OK):
        status = Status(int(found.status))
        words = system.explain(status) or status.advice
        raise SolveError(f"curvature: no trustworthy number ({status.name}): {words}", status, found)
    return found
