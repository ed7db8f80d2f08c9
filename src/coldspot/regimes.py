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
import operator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from ._attributes import told as _told
from ._checks import Values, unknown_name, worded
from .numerics.lacking import lacking
from .views import Reservoirs, View, at, best, by_temperature, chosen, each, either, library, never, settled, whole

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

INELASTIC_ONLY = "inelastic only"
BROADENING_NEGLECTED = "broadening-neglected"
COHERENCE_NEGLECTED = "coherence-neglected"
WEAK_FRICTION = "weak friction"
SECOND_ORDER = "second order not small"
INFORMATION_NEGLECTED = "information-neglected"
WELLS_UNMIXED = "wells unmixed"
UNDAMPED = "undamped motion"
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
    WELLS_UNMIXED: "the transient is too short for particles to hop between the two wells of the mean potential: how "
    "many are in each is that of its equilibrium, which is assumed; heat and work of those that begin on either side "
    "do not surely differ by more than is allowed, or less than a hundredth begin on one",
    UNDAMPED: "some motion is damped by no friction, or by less than numbers tell, and keeps the energy of its start: "
    "no heat and no work depends on it, but covariances and effective temperatures of coordinates that take part do",
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


def _sign(value: Any, error: Any) -> Any:
    xp = library(value)
    return xp.where(abs(value) > error, xp.sign(value), 0.0)


def _cooled(view: View, by: Reservoirs) -> tuple[Any, Any]:
    """Heat from the temperature that is meant to be cooled, and its error; with one temperature, from the bath.

    It is that of the named bath, else the coldest; at one temperature the bath that gives most.
    """
    alone = settled(by.count == 1)
    together = by.coldest if view.cooled is None else view.cooled
    heat, error = at(by.heat, together), at(by.error, together)
    if never(alone):
        return heat, error
    heats, errors = each(view.heat), each(view.heat_error)
    single = best(heats, operator.gt) if view.cooled is None else view.cooled
    return chosen(alone, at(heats, single), heat), chosen(alone, at(errors, single), error)


def codes(view: View) -> Values:
    """Index into `NAMES` of each point's regime. Usable inside jit."""
    return whole(_codes(view, by_temperature(view)), view.work_in)


def _codes(view: View, by: Reservoirs) -> Any:
    """The same, or one code for all points."""
    alone = settled(by.count == 1)
    # What a rate is beyond its error, which is not negative.
    spent, delivered = view.work_in > view.work_error, view.work_in < -view.work_error
    heat, error = _cooled(view, by)
    gives = either(one > library(one).maximum(off, 0.0) for one, off in zip(by.heat, by.error, strict=True))
    cases = {
        "unknown": ~(view.trusted & view.complete),
        "engine": delivered,
        "heater": spent & ~gives,
        "refrigerator": spent & (heat > error),
        "accelerator": spent,
        "absorption refrigerator": (by.count >= 3) & (heat > error),
    }
    if not never(alone):
        xp = library(view.heat)
        works = _sign(view.works, view.works_error)
        chemical = _sign(view.chemical, view.chemical_error)
        bath_gives = either(each(view.heat > xp.maximum(view.heat_error, 0.0)))
        single = {
            "heat pump": alone & spent & bath_gives,
            "chemical engine": alone & (works < 0) & (chemical > 0),
            "chemical pump": alone & (works > 0) & (chemical < 0),
        }
        cases = {"unknown": cases["unknown"]} | single | cases
    kind = np.int8 if library(view.heat) is np else int
    found: Any = kind(_CODE["passive"])
    for name, holds in reversed(cases.items()):
        found = chosen(settled(holds), kind(_CODE[name]), found)
    return found


def regime(view: View) -> Any:
    return names(codes(view))


def _ratio(value: Any, over: Any, defined: Any) -> Values:
    """value/over where that is defined, else NaN; its derivatives are never NaN."""
    defined = settled(defined)
    return whole(chosen(defined, value / chosen(defined, over, 1.0), np.nan), value)


def _absorbed(view: View, by: Reservoirs) -> Any:
    """The sum of the heats of the temperatures that give."""
    xp = library(view.heat)
    given = [chosen(one, xp.maximum(heat, 0.0), 0.0) for one, heat in zip(by.first, by.heat, strict=True)]
    return functools.reduce(operator.add, given)


def cop(view: View) -> Values:
    """heat[cooled temperature]/work_in of a refrigerator, heat[cooled bath]/work_in of a heat pump, else NaN.

    Of an absorption refrigerator heat[cooled temperature]/heat[hottest temperature].
    """
    by = by_temperature(view)
    return _cop(view, by, _codes(view, by))


def _cop(view: View, by: Reservoirs, code: Any) -> Values:
    heat, _ = _cooled(view, by)
    absorbing = settled(code == _CODE["absorption refrigerator"])
    spent = chosen(absorbing, at(by.heat, by.hottest), view.work_in)
    defined = absorbing | (code == _CODE["refrigerator"]) | (code == _CODE["heat pump"])
    return _ratio(heat, spent, defined & (spent != 0))


def efficiency(view: View) -> Values:
    """−work_in over the heat of the temperatures that give, of an engine; −work/chemical work of a chemical engine.

    Else NaN, also where a single bath with a temperature that varies in it (or with time) yields work. With two
    temperatures only the hot one gives.
    """
    by = by_temperature(view)
    return _efficiency(view, by, _codes(view, by))


def _efficiency(view: View, by: Reservoirs, code: Any) -> Values:
    # A single bath that yields work has several temperatures itself: what it takes back is not told from what it gives.
    thermal = (code == _CODE["engine"]) & (by.count != 1)
    chemical = settled(code == _CODE["chemical engine"])
    delivered = -chosen(chemical, view.works, view.work_in)
    spent = chosen(chemical, view.chemical, _absorbed(view, by))
    return _ratio(delivered, spent, (thermal | chemical) & (spent != 0))


def judged(view: View) -> dict[str, Values]:
    """`codes`, `cop` and `efficiency` at once, by their names in datasets: what they share is found once."""
    by = by_temperature(view)
    code = _codes(view, by)
    return {"regime": whole(code, view.work_in), "cop": _cop(view, by, code), "efficiency": _efficiency(view, by, code)}


def cop_terms(view: View) -> tuple[Values, Values]:
    """Numerator and denominator of `cop_ratio`: heat[cooled temperature] and work_in."""
    return _cooled(view, by_temperature(view))[0], view.work_in


def cop_spent(view: View) -> Values:
    """What `cop` divides by, as a function that is smooth wherever work is not zero.

    It is work_in, and the heat of the hottest temperature where no work goes in or out.
    """
    xp = library(view.heat)
    by = by_temperature(view)
    hottest = at(by.heat, by.hottest)
    return xp.where(_sign(view.work_in, view.work_error) == 0, hottest, view.work_in)


def efficiency_terms(view: View) -> tuple[Values, Values]:
    """Numerator and denominator of `efficiency_ratio`: −work_in and heat[hot temperature], or their like."""
    xp = library(view.heat)
    by = by_temperature(view)
    hottest = at(by.heat, by.hottest)
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
    xp = library(heat)
    from_heat = heat - temperature[..., None] * entropy_flows
    from_particles = chemical_works - chemical_potential[..., None] * particles
    terms = xp.concatenate([from_heat, from_particles, work[..., None]], axis=-1)
    into = xp.sum(xp.maximum(terms, 0.0), axis=-1)
    out = xp.sum(xp.maximum(-terms, 0.0), axis=-1)
    ratio = out / xp.where(into > 0, into, 1.0)
    return np.where(into > 0, ratio, np.nan) if xp is np else lacking(~(into > 0), ratio)


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
    xp = library(view.heat)
    left, right = electrons
    gradient = xp.sign(view.temperatures[..., left] - view.temperatures[..., right])
    bias = xp.sign(view.chemical_potentials[..., left] - view.chemical_potentials[..., right])

    flow, unsure = view.particles[..., left], view.particles_error[..., left]
    if len(view.kinds) == 3:
        (other,) = set(range(3)) - set(electrons)
        cold = view.temperatures[..., other] < view.temperatures[..., left]
        return {FLAGS[3]: np.asarray(view.trusted & cold & (gradient == 0) & (bias == 0) & (abs(flow) > unsure))}
    unbiased, aligned = settled(view.trusted & (bias == 0)), settled(view.trusted & (gradient * bias > 0))
    found = dict.fromkeys(FLAGS[:3], np.False_)
    if not (never(unbiased) and never(aligned)):
        backwards = flow * gradient < -unsure
        found |= {FLAGS[0]: unbiased & backwards, FLAGS[1]: aligned & backwards}
    if not never(aligned):
        from_left, from_right = (view.heat[..., bath] * gradient for bath in electrons)
        off_left, off_right = (view.heat_error[..., bath] for bath in electrons)
        found[FLAGS[2]] = aligned & (from_left < -off_left) & (from_right > off_right)
    return {name: np.asarray(whole(marks, view.work_in)) for name, marks in found.items()}


if not TYPE_CHECKING:  # a type checker goes on to refuse what is not here
    __getattr__ = _told("coldspot.regimes", __all__)
