"""What a machine does, from the signs in its ledger; efficiencies, their bounds, and flags.

A rate whose size does not exceed its own error estimate counts as zero. Baths at one temperature are one reservoir:
their heats and errors add up. A bath whose temperature is driven stands alone.

With two temperatures or more: refrigerator: work_in > 0, the coldest gives heat; engine: work_in < 0; heater:
work_in > 0, no temperature gives; accelerator: work_in > 0, another one gives than the coldest; passive: work_in = 0.
With three or more, absorption refrigerator: work_in = 0, the coldest gives.

With one temperature, by bath: heat pump: work_in > 0, a bath gives heat. Otherwise chemical engine: chemical work comes
in, and work goes out through the drives; chemical pump: the reverse; heater and passive as above.
"""

import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._attributes import told as _told
from ._checks import Values, unknown_name, worded

__all__ = [
    "CAUTIONS",
    "NAMES",
    "carnot_cop",
    "carnot_efficiency",
    "code",
    "codes",
    "cop",
    "efficiency",
    "flags",
    "names",
    "regime",
    "second_law_efficiency",
]

NAMES = (
    "passive",
    "refrigerator",
    "engine",
    "heater",
    "accelerator",
    "heat pump",
    "absorption refrigerator",
    "unknown",
    "chemical engine",
    "chemical pump",
)
"""Regimes by their codes, which stand in files: new ones are added at the end."""
_CODE = {name: code for code, name in enumerate(NAMES)}

NOTHING = 1e-290
"""Errors of what a bath that is tied to nothing exchanges are smaller."""
INELASTIC_ONLY = "inelastic only"
BROADENING_NEGLECTED = "broadening-neglected"
COHERENCE_NEGLECTED = "coherence-neglected"
WEAK_FRICTION = "weak friction"
SECOND_ORDER = "second order not small"
INFORMATION_NEGLECTED = "information-neglected"
WITHIN_ROUNDING = "within rounding"
CAUTIONS = {
    INELASTIC_ONLY: "the ledger holds the inelastic events alone, but the conductor also connects the leads "
    "elastically: there is no regime, COP or efficiency",
    BROADENING_NEGLECTED: "a level is not narrow against the temperature of its bath, and rates neglect its width",
    COHERENCE_NEGLECTED: "states of equal charge lie nearer to each other than the rates that would couple them, and "
    "rates neglect their coherence",
    WEAK_FRICTION: "the energy lost in one round between the turning points is small against the temperature, and the "
    "barrier's formula neglects that",
    SECOND_ORDER: "the modes change the elastic current by more than a third, or take across more than a third of what "
    "the levels' widths let pass, or what is left breaks the second law: higher orders in the coupling are neglected",
    INFORMATION_NEGLECTED: "a force is fed back from what is measured: entropy production, efficiency and COP do not "
    "count the information, and keep no bound",
    WITHIN_ROUNDING: "rounding the machine's own numbers changes the flows by more than the tolerance allows: they are "
    "known to their stated errors, which may exceed them",
}
"""What a theory neglects or numbers cannot tell: the flags that are raised beside a solution, and what they mean."""


@worded
def code(name: str) -> int:
    """The integer that stands for a regime in a Dataset: `ds.regime == code("engine")`.

    >>> code("engine")
    2
    """
    if name not in _CODE:
        raise unknown_name("regimes", "regime", name, NAMES)
    return _CODE[name]


@worded
def names(codes: Any) -> Any:
    """The names for such integers: one, or an array of them.

    >>> names(2), names([1, 2]).tolist()
    ('engine', ['refrigerator', 'engine'])
    """
    found = np.array(NAMES)[np.asarray(codes)]
    return str(found) if found.ndim == 0 else found


class View(NamedTuple):
    """What this module needs of a solution: arrays, all NumPy or all JAX, and what is known of the baths.

    - `heat`, `particles` and their errors, `temperatures`, `chemical_potentials` (…, bath);
    - `work_in`, `works` (the sum over drives), `chemical` (the sum of chemical works) and their errors (…);
    - `trusted` (…): whether the numbers can be trusted; `complete` (…): whether they are all there is;
    - `kinds`, `steady` (bath): whether a bath's temperature is constant; `undriven`; `cooled`: the bath that is meant
      to be cooled.
    """

    heat: Values
    heat_error: Values
    particles: Values
    particles_error: Values
    work_in: Values
    work_error: Values
    works: Values
    works_error: Values
    chemical: Values
    chemical_error: Values
    temperatures: Values
    chemical_potentials: Values
    trusted: Values
    complete: Values
    kinds: tuple[str, ...]
    steady: tuple[bool, ...]
    undriven: bool
    cooled: int | None

    def in_numpy(self) -> "View":
        """The same with NumPy arrays, which have nothing to compile; as it is where JAX traces something."""
        arrays = self[: self._fields.index("kinds")]
        if any(isinstance(array, jax.core.Tracer) for array in arrays):
            return self
        known: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in self._fields[: len(arrays)]}
        return self._replace(**known)


def _library(array: Any) -> Any:
    return np if isinstance(array, np.ndarray | np.generic) else jnp


@worded
def carnot_cop(cold: Any, hot: Any) -> Values:
    """T_c/(T_h−T_c), the largest COP between two temperatures.

    >>> float(carnot_cop(5.0, 10.0))
    1.0
    """
    return jnp.asarray(cold) / (jnp.asarray(hot) - cold)


@worded
def carnot_efficiency(cold: Any, hot: Any) -> Values:
    """1−T_c/T_h, the largest efficiency between two temperatures.

    >>> float(carnot_efficiency(5.0, 10.0))
    0.5
    """
    return 1 - jnp.asarray(cold) / hot


def _sign(value: Values, error: Values) -> Values:
    xp = _library(value)
    return xp.where(abs(value) > error, xp.sign(value), 0.0)


class _Reservoirs(NamedTuple):
    """For each bath (…, bath), the heat of all baths at its temperature, and its error; for each point, the rest.

    `first` (…, bath): whether the bath is the first one at its temperature; `count` (…): how many temperatures;
    `coldest`, `hottest` (…): baths. Baths that exchange nothing at all, exactly, have no part in the last three.
    """

    heat: Values
    error: Values
    first: Values
    count: Values
    coldest: Values
    hottest: Values


def _by_temperature(view: View) -> _Reservoirs:
    # Bath by bath: lists of points are quick to add up, a few baths of each point are not.
    xp = _library(view.heat)
    baths = range(len(view.steady))
    temperature = _each(view.temperatures)
    alike: dict[tuple[int, int], Any] = {(a, a): np.True_ for a in baths}
    for a, b in itertools.combinations(baths, 2):
        if view.steady[a] and view.steady[b]:
            alike[a, b] = alike[b, a] = temperature[a] == temperature[b]
    near = [[b for b in baths if (a, b) in alike] for a in baths]

    def added(values: Values) -> Values:
        own = _each(values)
        terms = [[own[b] if a == b else xp.where(alike[a, b], own[b], 0.0) for b in near[a]] for a in baths]
        return _together(xp, [functools.reduce(operator.add, some) for some in terms])

    every = (view.heat, view.heat_error, view.particles, view.particles_error)
    part = [_either(abs(values[..., b]) > NOTHING for values in every) for b in baths]
    nobody = ~_either(part)
    part = [one | nobody for one in part]
    first = [~_either(alike[a, b] for b in near[a] if b < a) for a in baths]
    # The first of those at its temperature that have a part, all of which come or go with it.
    there = [_either(alike[a, b] & part[b] for b in near[a]) for a in baths]
    count = functools.reduce(operator.add, [1 * (one & own) for one, own in zip(first, there, strict=True)])
    coldest = _best(xp, [xp.where(one, t, xp.inf) for one, t in zip(part, temperature, strict=True)], operator.lt)
    hottest = _best(xp, [xp.where(one, t, -xp.inf) for one, t in zip(part, temperature, strict=True)], operator.gt)
    first = _together(xp, [one | xp.zeros_like(nobody) for one in first])
    return _Reservoirs(added(view.heat), added(view.heat_error), first, count, coldest, hottest)


def _each(values: Values) -> list[Values]:
    """The numbers of each bath."""
    return [values[..., b] for b in range(values.shape[-1])]


def _together(xp: Any, each: list[Values]) -> Values:
    """(…, bath) of the numbers of each bath, which stay next to each other in memory."""
    return xp.moveaxis(xp.stack(each), 0, -1)


def _either(marks: Iterable[Values]) -> Values:
    """Whether any of some marks is true."""
    return functools.reduce(operator.or_, marks, np.False_)


def _best(xp: Any, each: list[Values], better: Callable[[Values, Values], Values]) -> Values:
    """Which of the baths has the best number (…): the first of those."""
    best, index = each[0], xp.zeros(each[0].shape, int)
    for b, values in enumerate(each[1:], 1):
        ahead = better(values, best)
        best, index = xp.where(ahead, values, best), xp.where(ahead, b, index)
    return index


def _at(values: Values, index: Values) -> Values:
    """The entry of each point at its own bath."""
    xp, own = _library(values), _each(values)
    return functools.reduce(lambda found, b: xp.where(index == b, own[b], found), range(1, len(own)), own[0])


def _cooled(view: View, by: _Reservoirs) -> tuple[Values, Values]:
    """Heat from the temperature that is meant to be cooled, and its sign; with one temperature, from the bath.

    It is that of the named bath, else the coldest; at one temperature the bath that gives most.
    """
    xp = _library(view.heat)
    alone = by.count == 1
    if view.cooled is not None:
        single = together = xp.full(view.heat.shape[:-1], view.cooled)
    else:
        single, together = _best(xp, _each(view.heat), operator.gt), by.coldest
    heat = xp.where(alone, _at(view.heat, single), _at(by.heat, together))
    error = xp.where(alone, _at(view.heat_error, single), _at(by.error, together))
    return heat, _sign(heat, error)


def codes(view: View) -> Values:
    """Index into `NAMES` of each point's regime. Usable inside jit."""
    return _codes(view, _by_temperature(view))


def _codes(view: View, by: _Reservoirs) -> Values:
    xp = _library(view.heat)
    alone = by.count == 1
    work, drives = _sign(view.work_in, view.work_error), _sign(view.works, view.works_error)
    chemical = _sign(view.chemical, view.chemical_error)
    _, cooled = _cooled(view, by)
    bath_gives = _either(_each(view.heat > xp.maximum(view.heat_error, 0.0)))
    gives = _either(_each(by.heat > xp.maximum(by.error, 0.0)))
    cases = {
        "unknown": ~(view.trusted & view.complete),
        "heat pump": alone & (work > 0) & bath_gives,
        "chemical engine": alone & (drives < 0) & (chemical > 0),
        "chemical pump": alone & (drives > 0) & (chemical < 0),
        "engine": work < 0,
        "heater": (work > 0) & ~gives,
        "refrigerator": (work > 0) & (cooled > 0),
        "accelerator": work > 0,
        "absorption refrigerator": (by.count >= 3) & (cooled > 0),
    }
    found = xp.asarray(_CODE["passive"])
    for name, holds in reversed(cases.items()):
        found = xp.where(holds, _CODE[name], found)
    return found


def regime(view: View) -> Any:
    return names(codes(view))


def _ratio(value: Values, over: Values, defined: Values) -> Values:
    """value/over where that is defined, else NaN; its derivatives are never NaN."""
    xp = _library(value)
    return xp.where(defined, value / xp.where(defined, over, 1.0), xp.nan)


def _absorbed(view: View, by: _Reservoirs) -> Values:
    """The sum of the heats of the temperatures that give."""
    xp = _library(view.heat)
    return functools.reduce(operator.add, _each(xp.where(by.first, xp.maximum(by.heat, 0.0), 0.0)))


def cop(view: View) -> Values:
    """heat[cooled temperature]/work_in of a refrigerator, heat[cooled bath]/work_in of a heat pump, else NaN.

    Of an absorption refrigerator heat[cooled temperature]/heat[hottest temperature].
    """
    by = _by_temperature(view)
    return _cop(view, by, _codes(view, by))


def _cop(view: View, by: _Reservoirs, code: Values) -> Values:
    xp = _library(view.heat)
    heat, _ = _cooled(view, by)
    absorbing = code == _CODE["absorption refrigerator"]
    spent = xp.where(absorbing, _at(by.heat, by.hottest), view.work_in)
    defined = absorbing | (code == _CODE["refrigerator"]) | (code == _CODE["heat pump"])
    return _ratio(heat, spent, defined & (spent != 0))


def efficiency(view: View) -> Values:
    """−work_in over the heat of the temperatures that give, of an engine; −work/chemical work of a chemical engine.

    Else NaN, also where a single bath with a temperature that varies in it (or with time) yields work. With two
    temperatures only the hot one gives.
    """
    by = _by_temperature(view)
    return _efficiency(view, by, _codes(view, by))


def _efficiency(view: View, by: _Reservoirs, code: Values) -> Values:
    xp = _library(view.heat)
    # A single bath that yields work has several temperatures itself: what it takes back is not told from what it gives.
    thermal, chemical = (code == _CODE["engine"]) & (by.count != 1), code == _CODE["chemical engine"]
    absorbed = _absorbed(view, by)
    delivered = -xp.where(chemical, view.works, view.work_in)
    spent = xp.where(chemical, view.chemical, absorbed)
    return _ratio(delivered, spent, (thermal | chemical) & (spent != 0))


def judged(view: View) -> dict[str, Values]:
    """`codes`, `cop` and `efficiency` at once, by their names in datasets: what they share is found once."""
    by = _by_temperature(view)
    code = _codes(view, by)
    return {"regime": code, "cop": _cop(view, by, code), "efficiency": _efficiency(view, by, code)}


def cop_terms(view: View) -> tuple[Values, Values]:
    """Numerator and denominator of `cop_ratio`: heat[cooled temperature] and work_in."""
    return _cooled(view, _by_temperature(view))[0], view.work_in


def cop_spent(view: View) -> Values:
    """What `cop` divides by, as a function that is smooth wherever work is not zero.

    It is work_in, and the heat of the hottest temperature where no work goes in or out.
    """
    xp = _library(view.heat)
    by = _by_temperature(view)
    hottest = _at(by.heat, by.hottest)
    return xp.where(_sign(view.work_in, view.work_error) == 0, hottest, view.work_in)


def efficiency_terms(view: View) -> tuple[Values, Values]:
    """Numerator and denominator of `efficiency_ratio`: −work_in and heat[hot temperature], or their like."""
    xp = _library(view.heat)
    by = _by_temperature(view)
    hottest = _at(by.heat, by.hottest)
    spent = xp.where(by.count == 2, hottest, _absorbed(view, by))
    delivered = -xp.where(by.count == 1, view.works, view.work_in)
    return delivered, xp.where(by.count == 1, view.chemical, spent)


def cop_ratio(view: View) -> Values:
    """heat[cooled temperature]/work_in whatever the regime: smooth, for optimisers that start outside of it.

    At one temperature the heat is that of the cooled bath. NaN, with derivative zero, where no work goes in or out, and
    where the ledger is not complete.
    """
    heat, spent = cop_terms(view)
    return _ratio(heat, spent, view.complete & (spent != 0))


def efficiency_ratio(view: View) -> Values:
    """−work_in/heat[hot temperature] whatever the regime: smooth, for optimisers that start outside of it.

    With three temperatures or more, over the sum of those that give; at one temperature −work/chemical work. NaN, with
    derivative zero, where the denominator is zero, and where the ledger is not complete.
    """
    delivered, spent = efficiency_terms(view)
    return _ratio(delivered, spent, view.complete & (spent != 0))


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


class Flags(dict[str, Any]):
    """Flags of a solution, name → boolean (array): anomalies where they are defined, and cautions that are raised.

    A caution that nothing raises is not among the names, and False where one asks for it.

    >>> flags = Flags((), {})
    >>> list(flags), flags[WEAK_FRICTION].item()
    ([], False)
    """

    def __init__(self, shape: tuple[int, ...], raised: dict[str, Any]):
        super().__init__(raised)
        self._shape = shape

    def __missing__(self, name: str) -> np.ndarray:
        if name in CAUTIONS:
            return np.zeros(self._shape, bool)
        raise unknown_name("flags", "flag", str(name), (*FLAGS, *CAUTIONS))


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


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.regimes", __all__)
