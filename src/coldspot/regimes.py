"""What a machine does, from the signs in its ledger; efficiencies, their bounds, and anomaly flags.

A rate whose size does not exceed its own error estimate counts as zero. With two temperatures:
refrigerator: work_in > 0 and the cold bath gives heat; engine: work_in < 0; heater: work_in > 0 and no bath
gives heat; accelerator: work_in > 0, the hot bath gives and the cold one receives; passive: work_in = 0.
Heat pump: all temperatures equal, work_in > 0, a bath gives heat. Absorption refrigerator: three or
more baths, work_in = 0, the coldest gives heat.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ._checks import Values, unknown_name

NAMES = (
    "passive",
    "refrigerator",
    "engine",
    "heater",
    "accelerator",
    "heat pump",
    "absorption refrigerator",
    "unknown",
)
_CODE = {name: code for code, name in enumerate(NAMES)}


def code(name: str) -> int:
    """The integer that stands for a regime in a Dataset: `ds.regime == code("engine")`.

    >>> code("engine")
    2
    """
    if name not in _CODE:
        raise unknown_name("regimes", "regime", name, NAMES)
    return _CODE[name]


def names(codes: Any) -> Any:
    """The names for such integers: one, or an array of them.

    >>> names(2), names([1, 2]).tolist()
    ('engine', ['refrigerator', 'engine'])
    """
    found = np.array(NAMES)[np.asarray(codes)]
    return str(found) if found.ndim == 0 else found


class View(NamedTuple):
    """What this module needs of a solution: arrays (…, bath) and (…), and the baths' kinds; all NumPy or all JAX."""

    heat: Values
    heat_error: Values
    particles: Values
    particles_error: Values
    work_in: Values
    work_error: Values
    temperatures: Values
    chemical_potentials: Values
    trusted: Values
    kinds: tuple[str, ...]
    undriven: bool
    cooled: int | None


def _library(array: Any) -> Any:
    return np if isinstance(array, np.ndarray | np.generic) else jnp


def carnot_cop(cold: Any, hot: Any) -> Values:
    """T_c/(T_h−T_c), the largest COP between two temperatures.

    >>> float(carnot_cop(5.0, 10.0))
    1.0
    """
    return jnp.asarray(cold) / (jnp.asarray(hot) - cold)


def carnot_efficiency(cold: Any, hot: Any) -> Values:
    """1−T_c/T_h, the largest efficiency between two temperatures.

    >>> float(carnot_efficiency(5.0, 10.0))
    0.5
    """
    return 1 - jnp.asarray(cold) / hot


def _sign(value: Values, error: Values) -> Values:
    xp = _library(value)
    return xp.where(abs(value) > error, xp.sign(value), 0.0)


def _cooled_heat(view: View) -> tuple[Values, Values]:
    """Heat from the bath that is meant to be cooled, and its sign.

    It is the named bath, else the coldest; among equally cold ones the one that gives most heat.
    """
    signs = _sign(view.heat, view.heat_error)
    if view.cooled is not None:
        return view.heat[..., view.cooled], signs[..., view.cooled]
    xp = _library(view.heat)
    coldest = view.temperatures == view.temperatures.min(axis=-1, keepdims=True)
    chosen = xp.argmax(xp.where(coldest, view.heat, -xp.inf), axis=-1)[..., None]
    return xp.take_along_axis(view.heat, chosen, -1)[..., 0], xp.take_along_axis(signs, chosen, -1)[..., 0]


def codes(view: View) -> Values:
    """Index into `NAMES` of each point's regime. Usable inside jit."""
    xp = _library(view.heat)
    work = _sign(view.work_in, view.work_error)
    gives = (_sign(view.heat, view.heat_error) > 0).any(axis=-1)
    _, cooled = _cooled_heat(view)
    isothermal = (view.temperatures == view.temperatures[..., :1]).all(axis=-1)
    many = view.heat.shape[-1] >= 3
    consuming = xp.where(
        ~gives,
        _CODE["heater"],
        xp.where(
            isothermal,
            _CODE["heat pump"],
            xp.where(cooled > 0, _CODE["refrigerator"], _CODE["accelerator"]),
        ),
    )
    free = xp.where(many & (cooled > 0) & ~isothermal, _CODE["absorption refrigerator"], _CODE["passive"])
    code = xp.where(work > 0, consuming, xp.where(work < 0, _CODE["engine"], free))
    return xp.where(view.trusted, code, _CODE["unknown"])


def regime(view: View) -> Any:
    return names(codes(view))


def cop(view: View) -> Values:
    """heat[cooled]/work_in in the regimes refrigerator and heat pump, else NaN."""
    xp = _library(view.heat)
    heat, _ = _cooled_heat(view)
    code = codes(view)
    defined = (code == _CODE["refrigerator"]) | (code == _CODE["heat pump"])
    return xp.where(defined, heat / xp.where(defined, view.work_in, 1.0), xp.nan)


def efficiency(view: View) -> Values:
    """−work_in over the heat that comes in, in the regime engine, else NaN.

    With two temperatures only the hot bath gives heat; with more, the sum over all that give.
    """
    xp = _library(view.heat)
    defined = codes(view) == _CODE["engine"]
    absorbed = xp.maximum(view.heat, 0.0).sum(axis=-1)
    return xp.where(defined, -view.work_in / xp.where(defined, absorbed, 1.0), xp.nan)


def second_law_efficiency(
    heat: Values,
    entropy_flows: Values,
    chemical_works: Values,
    particles: Values,
    work: Values,
    temperature: Values,
    chemical_potential: Values,
) -> Values:
    """Free-energy rate out over in, relative to a reservoir with the given temperature and chemical potential."""
    from_heat = heat - temperature[..., None] * entropy_flows
    from_particles = chemical_works - chemical_potential[..., None] * particles
    terms = jnp.concatenate([from_heat, from_particles, work[..., None]], axis=-1)
    into = jnp.sum(jnp.maximum(terms, 0.0), axis=-1)
    out = jnp.sum(jnp.maximum(-terms, 0.0), axis=-1)
    return jnp.where(into > 0, out / jnp.where(into > 0, into, 1.0), jnp.nan)


FLAGS = ("anomalous thermodiffusion", "absolute negative mobility", "reverse heat transport", "cold-spot current")


def flags(view: View) -> dict[str, Any]:
    """Anomalies as booleans, each only where it is defined (else the key is absent): in machines that nothing drives.

    With exactly two baths, both electronic, L and R (ΔT = T_L−T_R, Δμ = μ_L−μ_R, J particles from L to R):

    - anomalous thermodiffusion: Δμ = 0, particles flow from cold to hot;
    - absolute negative mobility: ΔT and Δμ point the same way, J against both;
    - reverse heat transport: ΔT and Δμ point the same way, the cold bath gives heat and the hot one receives it.

    With two electron baths at one temperature T_e and Δμ = 0, and a third bath colder than T_e:

    - cold-spot current: J ≠ 0.
    """
    electrons = [k for k, kind in enumerate(view.kinds) if kind == "electron"]
    if len(electrons) != 2 or len(view.kinds) > 3 or not view.undriven:
        return {}
    xp = _library(view.heat)
    left, right = electrons
    gradient = xp.sign(view.temperatures[..., left] - view.temperatures[..., right])
    bias = xp.sign(view.chemical_potentials[..., left] - view.chemical_potentials[..., right])
    flow = _sign(view.particles, view.particles_error)[..., left]
    if len(view.kinds) == 3:
        (other,) = set(range(3)) - set(electrons)
        cold = view.temperatures[..., other] < view.temperatures[..., left]
        return {FLAGS[3]: np.asarray(view.trusted & cold & (gradient == 0) & (bias == 0) & (flow != 0))}
    heat = _sign(view.heat, view.heat_error)
    aligned = view.trusted & (gradient * bias > 0)
    from_left = heat[..., left] * gradient
    from_right = -heat[..., right] * gradient
    return {
        FLAGS[0]: np.asarray(view.trusted & (bias == 0) & (flow * gradient < 0)),
        FLAGS[1]: np.asarray(aligned & (flow * gradient < 0)),
        FLAGS[2]: np.asarray(aligned & (from_left < 0) & (from_right < 0)),
    }
