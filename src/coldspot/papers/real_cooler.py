"""Beyond the paper on Kramers' barrier: a barrier of finite height between two real baths.

Where does the closed form of the coefficient of performance hold, up to which difference of temperature does the
barrier cool, and how does the heat per particle grow with its height? V = (E_B/2)(1+cos x) between reservoirs at the
bottoms, solved without approximation (`coldspot.KleinKramers`); m = T_c = 1. The parabola that fits the top has
ω² = E_B/2.
"""

import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .. import style
from ..baths import HeatBath
from ..machines import KramersCooler
from ..reproduction.paper import Figure, Number, holds, none_of
from ..sweep import sweep

if TYPE_CHECKING:
    import matplotlib.figure
    from xarray import Dataset

FRICTIONS = (0.1, 0.5, 2.0, 8.0)
HEIGHTS = (2.0, 4.0, 6.0, 8.0)
POPULATION = 0.75
BIAS = math.log(POPULATION / (1 - POPULATION))
"""Δμ/T of that population."""
HOT = (1.0, 1.05, 1.1, 1.2)
TOLERANCE = 1e-3

MEANINGS = {
    "friction": ("rate", "friction γ"),
    "barrier": ("T", "height E_B of the barrier"),
    "bias": ("T_c", "Δμ of the densities that come in"),
    "hot_temperature": ("T_c", "temperature T_h of the hot bath"),
}
AXES = {
    "friction": r"friction  $\gamma/\omega_B$",
    "hot_temperature": r"temperature of the hot bath  $T_h/T_c$",
    "barrier": r"height of the barrier  $E_B/T$",
}


def closed_form(friction: np.ndarray, height: np.ndarray) -> np.ndarray:
    """COP = [γ(a−γ)/ω²](E_B/T)/ln(λ/(1−λ)) of the parabola, a−γ = ω²/a."""
    rising = friction / 2 + np.sqrt(friction**2 / 4 + height / 2)
    return friction / rising * height / BIAS


def _labelled(data: "Dataset", conventions: str) -> "Dataset":
    for name, (units, meaning) in MEANINGS.items():
        if name in data.coords:
            data[name] = data[name].assign_attrs(units=units, long_name=meaning)
    return data.assign_attrs(conventions=conventions, created_by="coldspot")


@functools.cache
def _heights() -> "Dataset":
    equal = KramersCooler(bias=BIAS, hot=HeatBath(1.0))
    found = sweep(equal, {"friction": FRICTIONS, "barrier": HEIGHTS}, tolerance=TOLERANCE, progress=False)
    per_particle = found.heat.sel(bath="cold", drop=True) / found.particles.sel(bath="left", drop=True)
    data = found[["friction", "barrier"]]
    data["heat_per_particle"] = per_particle.assign_attrs(units="T", long_name="heat from the cold side per particle")
    data["cop"] = (per_particle / BIAS).assign_attrs(units="1", long_name="coefficient of performance Q_c/(Δμ J)")
    data["closed_form"] = (data.cop.dims, closed_form(*np.meshgrid(FRICTIONS, HEIGHTS, indexing="ij")))
    data["closed_form"].attrs.update(units="1", long_name="coefficient of performance of the parabola")
    data["status"] = found.status
    return _labelled(data, "m = T = 1, V = (E_B/2)(1+cos x)")


def compute_cop() -> "Dataset":
    return _heights().drop_vars("heat_per_particle")


def check_cop(data: "Dataset") -> Iterator[Number]:
    yield none_of("points without a trustworthy solution", data.status != 0)
    for friction, height, value, half in ((0.1, 4.0, 0.489, 5e-4), (2.0, 4.0, 3.52, 5e-3), (8.0, 4.0, 3.81, 5e-3)):
        found = data.cop.sel(friction=friction, barrier=height)
        yield Number(
            f"COP of the real barrier, γ = {friction:g}, E_B = {height:g} (independent)", value, float(found), half
        )
    found = data.cop.sel(friction=0.1, barrier=8.0)
    yield Number("COP of the real barrier, γ = 0.1, E_B = 8 (independent)", 0.703, float(found), 5e-4)
    yield none_of("points where the closed form is not below the real barrier's COP", ~(data.closed_form < data.cop))
    ratio = (data.closed_form / data.cop).sel(barrier=4.0)
    yield holds(
        "at E_B = 4 the closed form is better the larger the friction", bool((ratio.diff("friction") > 0).all())
    )


def draw_cop(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    for height, marker in zip(data.barrier.values, "os^D", strict=True):
        at = data.sel(barrier=height)
        friction = at.friction / math.sqrt(height / 2)
        label = rf"$E_B = {height:g}\,T$"
        axes.plot(friction, at.closed_form / at.cop, marker, markersize=4.5, label=label)
    axes.axhline(1.0, color=style.GREY, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set(xlabel=AXES["friction"], ylabel=r"$\eta$ of the parabola $/$ of the barrier", ylim=(0, 1.08))
    axes.legend(loc="lower right")
    return figure


def compute_cooling() -> "Dataset":
    found = sweep(
        KramersCooler(),
        {"friction": [0.5, 8.0], "bias": [0.0, 1.0], "hot.temperature": HOT},
        tolerance=TOLERANCE,
        progress=False,
    ).rename({"hot.temperature": "hot_temperature"})
    data = found[["friction", "bias", "hot_temperature"]]
    data["heat_cold"] = found.heat.sel(bath="cold", drop=True)
    data["heat_cold"].attrs.update(units="T_c/time", long_name="heat from the cold bath")
    data["heat_cold_error"] = found.heat_error.sel(bath="cold", drop=True)
    data["heat_cold_error"].attrs.update(units="T_c/time", long_name="its error")
    data["status"] = found.status
    return _labelled(data, "m = T_c = 1, E_B = 4, V = (E_B/2)(1+cos x)")


def limit(data: "Dataset", friction: float) -> float:
    """T_h up to which the cold bath gives heat at bias 1, by a parabola through the points."""
    heat = data.heat_cold.sel(friction=friction, bias=1.0).values
    roots = np.roots(np.polyfit(np.array(HOT) - 1, heat, 2))
    real = roots[np.isreal(roots)].real
    above = real[real > 0]
    return 1 + float(above.min()) if above.size else math.inf


def check_cooling(data: "Dataset") -> Iterator[Number]:
    yield none_of("points without a trustworthy solution", data.status != 0)
    driven, still = (data.heat_cold.sel(friction=0.5, bias=bias).values for bias in (1.0, 0.0))
    for hot, value, found in zip(HOT, (0.013697, 0.011285, 0.008466, 0.001523), driven, strict=True):
        yield Number(
            f"heat from the cold bath, γ = 0.5, Δμ = 1, T_h = {hot:g} (independent)", value, float(found), 2e-6
        )
    for hot, value, half, found in zip(HOT[1:], (-0.0035, -0.0075, -0.017), (5e-5, 5e-5, 5e-4), still[1:], strict=True):
        yield Number(f"kinetic leak, γ = 0.5, Δμ = 0, T_h = {hot:g} (independent)", value, float(found), half)
    alike = data.isel(bias=0, hot_temperature=0)
    beyond = float(abs(alike.heat_cold / alike.heat_cold_error).max())
    yield Number("heat without bias at equal temperatures, in units of its error", 0.0, beyond, 1.0)
    yield holds("which is less than 1e-10", float(alike.heat_cold_error.max()) < 1e-10)
    yield holds("it cools at γ = 0.5, T_h = 1.2", driven[-1] > 0)
    strong = float(data.heat_cold.sel(friction=8.0, bias=1.0, hot_temperature=1.2))
    yield holds("it does not cool at γ = 8, T_h = 1.2", strong < 0)


def draw_cooling(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    for friction, colour in zip(data.friction.values, (style.BLUE, style.ORANGE), strict=True):
        for bias, line in ((1.0, "-"), (0.0, "--")):
            heat = data.heat_cold.sel(friction=friction, bias=bias)
            what = r"$\Delta\mu = T_c$" if bias else "leak"
            label = rf"$\gamma = {friction:g}$, {what}"
            axes.plot(data.hot_temperature, heat, line, color=colour, marker="o", markersize=4, label=label)
        axes.axvline(limit(data, friction), color=colour, linewidth=0.8, linestyle=":")
    axes.axhline(0.0, color=style.GREY, linewidth=0.8)
    axes.set(xlabel=AXES["hot_temperature"], ylabel=r"heat from the cold bath  $Q_c$")
    axes.legend(loc="lower left")
    return figure


def compute_growth() -> "Dataset":
    return _heights().drop_vars(["cop", "closed_form"])


def check_growth(data: "Dataset") -> Iterator[Number]:
    yield none_of(
        "points where the heat per particle does not grow with E_B", ~(data.heat_per_particle.diff("barrier") > 0)
    )
    share = data.heat_per_particle / data.barrier
    yield holds("at γ = 0.1 it grows more slowly than E_B", bool((share.sel(friction=0.1).diff("barrier") < 0).all()))
    highest = float(share.sel(friction=8.0, barrier=8.0))
    yield Number("Q_c/(J E_B) at γ = 8, E_B = 8 (1 as γ and E_B → ∞)", 1.0, highest, 0.03)


def draw_growth(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    for friction in data.friction.values[::-1]:
        curve = data.heat_per_particle.sel(friction=friction)
        axes.plot(data.barrier, curve, marker="o", markersize=4, label=rf"$\gamma = {friction:g}$")
    axes.plot(data.barrier, data.barrier, color=style.GREY, linestyle=":", linewidth=1, label=r"$Q_c/J = E_B$")
    axes.set(xlabel=AXES["barrier"], ylabel=r"heat per particle  $Q_c/(J\,T)$", ylim=(0, None))
    axes.legend(loc="upper left")
    return figure


FIGURES = (
    Figure(
        "B1",
        "Where the closed form holds",
        "Coefficient of performance of the parabola over that of a barrier (E_B/2)(1+cos x) between reservoirs at its "
        "bottoms, at equal temperatures and λ = 0.75. The closed form underestimates: by half at weak friction, where "
        "particles that come back have been heated again in the wells, by less the more friction there is. Barriers of "
        "all heights are nearly alike in γ/ω_B, with ω_B² = E_B/2m at the top.",
        "Points of four heights lie close to one curve, which rises with friction from one half towards 1.",
        compute_cop,
        draw_cop,
        check_cop,
        cost=4.0,
    ),
    Figure(
        "B2",
        "Up to which difference of temperature it cools",
        "Heat from the cold bath, E_B = 4 T_c, with Δμ = T_c and with no bias. Then only the kinetic leak flows: "
        "particles carry their kinetic energy across the step of the temperature. Dotted: where cooling "
        "ends, by a parabola through the points.",
        "Two falling curves that cross zero, the one of stronger friction earlier; two dashed ones below zero.",
        compute_cooling,
        draw_cooling,
        check_cooling,
        cost=5.0,
    ),
    Figure(
        "B3",
        "How the heat per particle grows with the barrier",
        "Heat from the cold side per particle at equal temperatures, λ = 0.75, for several frictions, against the "
        "height of the barrier. The paper's proportionality to E_B is real at strong friction.",
        "Rising curves; those of strong friction follow the line Q_c/J = E_B, those of weak friction stay far below.",
        compute_growth,
        draw_growth,
        check_growth,
    ),
)
