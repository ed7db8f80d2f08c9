"""Zhang and Lü: currents of a single level that flow against bias and temperature gradient.

The paper's signs: J_L and Q_L leave the left bath, Q_R enters the right one. Here they are made from
`particles["left"]`, `heat["left"]` and −`heat["right"]`. All energies are in units of γ (k_B = e = ħ = 1).
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import regimes, style
from ..baths import ElectronBath
from ..machines import QuantumDot
from ..reproduction.crossings import crossings, only
from ..reproduction.paper import Figure, Number, Paper, none_of
from ..sweep import sweep

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.axes import Axes
    from xarray import Dataset

POINTS = 2400
"""Points of every sweep, so that one compiled program serves all; divided among the curves of a figure."""
EXACT = 1e-9
"""Tolerance of levels, temperatures and voltages that follow from the paper's equations."""
PRINTED = {"mean_temperature": 7.5, "gradient": 5.0}

UNITS = {"level": "E", "mean_temperature": "E/k_B", "gradient": "E/k_B", "bias": "E/e"}
MEANINGS = {
    "level": "level ε",
    "mean_temperature": "mean temperature T = (T_L + T_R)/2",
    "gradient": "temperature gradient ΔT = T_L − T_R",
    "bias": "bias voltage ΔV = (μ_L − μ_R)/e",
}
AXES = {
    "level": r"level  $\varepsilon$",
    "gradient": r"temperature gradient  $\Delta T$",
    "bias": r"bias voltage  $\Delta V$",
    "J_L": r"particle current  $J_L$",
    "Q_L": r"heat flow  $Q_L$",
    "Q_R": r"heat flow  $Q_R$",
}


# --------------------------------------------------------------------------- data


def build(level: Any, mean_temperature: Any, gradient: Any, bias: Any) -> QuantumDot:
    """The paper's dot: T_{L,R} = T ± ΔT/2, μ_{L,R} = ±ΔV/2, γ_L = γ_R = 2 so that γ = 1."""
    return QuantumDot(
        level=level,
        left=ElectronBath(mean_temperature + gradient / 2, bias / 2),
        right=ElectronBath(mean_temperature - gradient / 2, -bias / 2),
    )


def curves(**parameters: Any) -> "Dataset":
    """A sweep of the dot over lists among the four parameters (the last one along the curves), in the paper's signs."""
    lists = {name: np.atleast_1d(values) for name, values in parameters.items()}
    data = sweep(build, lists, progress=False)
    data = data.squeeze([name for name, values in lists.items() if values.size == 1])
    quantities = {
        "J_L": (data.particles.sel(bath="left"), "E/hbar", "particle current out of the left bath"),
        "Q_L": (data.heat.sel(bath="left"), "E**2/hbar", "heat flow out of the left bath"),
        "Q_R": (-data.heat.sel(bath="right"), "E**2/hbar", "heat flow into the right bath"),
        "s": (data.entropy_production, "k_B*E/hbar", "entropy production rate"),
    }
    for name, (values, units, meaning) in quantities.items():
        data[name] = values.drop_vars("bath", errors="ignore").assign_attrs(units=units, long_name=meaning)
    for name in UNITS:
        data[name] = data[name].assign_attrs(units=UNITS[name], long_name=MEANINGS[name])
    return data


def zeros(data: "Dataset", name: str) -> list[float]:
    """Where a curve of the data crosses zero, refined by further sweeps through the solver."""
    (along,) = data[name].dims
    fixed = {other: float(data[other]) for other in UNITS if other != along}

    def evaluate(x: np.ndarray) -> np.ndarray:
        return curves(**fixed, **{str(along): x})[name].values

    return crossings(evaluate, data[along].values, data[name].values, POINTS)


# --------------------------------------------------------------------------- what the paper's equations give


def reversible_level(mean_temperature: float, gradient: float, bias: float) -> float:
    """ε_r of eq. 10."""
    left, right = mean_temperature + gradient / 2, mean_temperature - gradient / 2
    return (-bias / 2 * left - bias / 2 * right) / gradient


def equations(level: float, mean_temperature: float, gradient: float, bias: float) -> dict[str, float]:
    """J_L, Q_L, Q_R and s of eqs. 6–9 with γ = 1."""
    left, right = mean_temperature + gradient / 2, mean_temperature - gradient / 2
    current = 1 / (1 + math.exp((level - bias / 2) / left)) - 1 / (1 + math.exp((level + bias / 2) / right))
    from_left, into_right = (level - bias / 2) * current, (level + bias / 2) * current
    return {"J_L": current, "Q_L": from_left, "Q_R": into_right, "s": into_right / right - from_left / left}


def at_stall(level: float, bias: float, name: str) -> float:
    """The limit of `efficiency` or `cop` as the level goes to the reversible one, from the side where it is defined.

    At that level itself both are 0/0. A quartic through the points near it gives the limit.
    """
    near = curves(**PRINTED, bias=bias, level=np.linspace(level - 0.1, level + 0.1, POINTS))
    defined = np.isfinite(near[name].values)
    return float(np.polynomial.Polynomial.fit(near.level.values[defined], near[name].values[defined], 4)(level))


def numbers() -> Iterator[Number]:
    spot = {**PRINTED, "bias": 5.0, "level": -15.0}
    solved = curves(**{**spot, "level": np.full(POINTS, spot["level"])}).isel(level=0)
    for name, value in equations(**spot).items():
        equation = {"J_L": "6", "Q_L": "7", "Q_R": "8", "s": "9"}[name]
        yield Number(f"{name} at ε = −15, ΔT = 5, ΔV = 5 (from eq. {equation})", value, float(solved[name]), 1e-13)
    cold, hot = PRINTED["mean_temperature"] - 2.5, PRINTED["mean_temperature"] + 2.5
    for bias in (5.0, -5.0):
        level = reversible_level(**PRINTED, bias=bias)
        where = f"at ε_r for ΔV = {bias:g}".replace("-", "−")
        efficiency, cop = float(regimes.carnot_efficiency(cold, hot)), float(regimes.carnot_cop(cold, hot))
        yield Number(f"efficiency {where} (Carnot: s = 0)", efficiency, at_stall(level, bias, "efficiency"), EXACT)
        yield Number(f"COP {where} (Carnot: s = 0)", cop, at_stall(level, bias, "cop"), EXACT)


# --------------------------------------------------------------------------- figures 2 and 3: thermodiffusion


def _each(data: "Dataset", name: str) -> Iterator[tuple[float, "Dataset"]]:
    for value in data[name].values:
        yield float(value), data.sel({name: value})


def _thermodiffusion(data: "Dataset", over: str, symbol: str) -> Iterator[Number]:
    for value, curve in _each(data, over):
        yield Number(
            f"level where J_L changes sign, {symbol} = {value:g} (ε = μ, from eq. 6)",
            0.0,
            only(zeros(curve, "J_L"), 0, 1),
            EXACT,
        )
    flagged = data.anomalous_thermodiffusion
    yield none_of("points where anomalous thermodiffusion and ε < 0 do not go together", flagged != (data.level < 0))
    yield none_of("points without heat flow from hot to cold (Q_L > 0)", ~(data.Q_L > 0))


def compute_2() -> "Dataset":
    return curves(
        mean_temperature=[5.0, 7.5, 10.0, 15.0], gradient=5.0, bias=0.0, level=np.linspace(-30, 30, POINTS // 4)
    )


def check_2(data: "Dataset") -> Iterator[Number]:
    return _thermodiffusion(data, "mean_temperature", "T")


def compute_3() -> "Dataset":
    return curves(
        gradient=[2.5, 5.0, 7.5, 10.0], mean_temperature=7.5, bias=0.0, level=np.linspace(-30, 30, POINTS // 4)
    )


def check_3(data: "Dataset") -> Iterator[Number]:
    yield from _thermodiffusion(data, "gradient", "ΔT")
    yield none_of("points where |J_L| does not grow with ΔT", ~(abs(data.J_L).diff("gradient") > 0))
    yield none_of("points where Q_L does not grow with ΔT", ~(data.Q_L.diff("gradient") > 0))


def _family(axes: "Axes", data: "Dataset", name: str, over: str, symbol: str, legend: bool = True) -> None:
    for value, curve in _each(data, over):
        axes.plot(curve.level, curve[name], label=f"${symbol} = {value:g}$")
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    axes.set(xlabel=AXES["level"], ylabel=AXES[name], xlim=(data.level[0], data.level[-1]))
    if legend:
        axes.legend(loc="upper left")


def _draw_thermodiffusion(data: "Dataset", over: str, symbol: str) -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "J_L", over, symbol)
    anomalous = data.level.values[data.anomalous_thermodiffusion.any(over)]
    axes.axvspan(anomalous.min(), anomalous.max(), color=style.TINTS["engine"], linewidth=0, zorder=-1)
    axes.text(0.03, 0.04, "anomalous\nthermodiffusion", transform=axes.transAxes, color=style.GREY, va="bottom")
    inset = axes.inset_axes((0.62, 0.13, 0.36, 0.36))
    _family(inset, data, "Q_L", over, symbol, legend=False)
    _small(inset, r"$\varepsilon$", r"$Q_L$")
    return figure


def _small(axes: "Axes", x: str, y: str) -> None:
    """Letters that suit an inset."""
    axes.tick_params(labelsize=8)
    axes.set_xlabel(x, fontsize=9, labelpad=1)
    axes.set_ylabel(y, fontsize=9, labelpad=1)
    axes.margins(y=0.1)


def draw_2(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_thermodiffusion(data, "mean_temperature", "T")


def draw_3(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_thermodiffusion(data, "gradient", r"\Delta T")


# --------------------------------------------------------------------------- figures 4 and 5: negative mobility


def compute_4() -> "Dataset":
    return curves(
        gradient=[0.0, 2.5, 5.0, 10.0], mean_temperature=7.5, bias=5.0, level=np.linspace(-30, 30, POINTS // 4)
    )


def check_4(data: "Dataset") -> Iterator[Number]:
    yield none_of("points at ΔT = 0 where J_L is not along the bias", ~(data.J_L.sel(gradient=0) > 0))
    for value, curve in _each(data.sel(gradient=data.gradient > 0), "gradient"):
        level = reversible_level(7.5, value, 5.0)
        yield Number(
            f"level ε_r where J_L changes sign, ΔT = {value:g} (from eq. 10)",
            level,
            only(zeros(curve, "J_L"), 0, 1),
            EXACT,
        )
        flagged = curve.absolute_negative_mobility
        yield none_of(
            f"points where negative mobility and ε < ε_r do not go together, ΔT = {value:g}",
            flagged != (curve.level < level),
        )


def draw_4(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "J_L", "gradient", r"\Delta T")
    _shade_below_zero(axes, style.TINTS["engine"], "absolute negative mobility")
    return figure


def _shade_below_zero(axes: "Axes", tint: str, text: str) -> None:
    low, high = axes.get_ylim()
    axes.axhspan(low, 0.0, color=tint, linewidth=0, zorder=-1)
    axes.set_ylim(low, high)
    axes.text(0.97, 0.03, text, transform=axes.transAxes, color=style.GREY, ha="right", va="bottom")


def compute_5a() -> "Dataset":
    return curves(mean_temperature=7.5, bias=5.0, level=-15.0, gradient=np.linspace(0, 10, POINTS))


def check_5a(data: "Dataset") -> Iterator[Number]:
    threshold = 2.5
    yield Number(
        "threshold ΔT_th where J_L changes sign (−ΔV·T/ε, from eq. 6)", threshold, only(zeros(data, "J_L"), 0, 1), EXACT
    )
    yield none_of(
        "points where negative mobility and ΔT > ΔT_th do not go together",
        data.absolute_negative_mobility != (data.gradient > threshold),
    )
    beyond = data.J_L.where(data.gradient > threshold, drop=True)
    yield none_of("points beyond ΔT_th where negative mobility does not grow with ΔT", ~(beyond.diff("gradient") < 0))


def compute_5b() -> "Dataset":
    return curves(mean_temperature=7.5, gradient=5.0, level=-15.0, bias=np.linspace(0, 20, POINTS))


def check_5b(data: "Dataset") -> Iterator[Number]:
    threshold = 10.0
    yield Number(
        "threshold ΔV_th where J_L changes sign (−ε·ΔT/T, from eq. 6)", threshold, only(zeros(data, "J_L"), 0, 1), EXACT
    )
    forward = data.sel(bias=data.bias > 0)
    yield none_of(
        "points with 0 < ΔV where negative mobility and ΔV < ΔV_th do not go together",
        forward.absolute_negative_mobility != (forward.bias < threshold),
    )
    beyond = data.J_L.where(data.bias > threshold, drop=True)
    yield none_of("points beyond ΔV_th where J_L does not grow with ΔV", ~(beyond.diff("bias") > 0))


def _draw_5(data: "Dataset", along: str, threshold: str) -> "matplotlib.figure.Figure":
    figure = style.new_figure(4.4, 3.4)
    axes = figure.subplots()
    x = data[along].values
    negative = x[data.absolute_negative_mobility.values]
    axes.axvspan(negative.min(), negative.max(), color=style.TINTS["engine"], linewidth=0, zorder=-1)
    axes.plot(x, data.J_L, color=style.BLUE)
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    edge, offset = (negative.min(), 7) if along == "gradient" else (negative.max(), -17)
    axes.plot([edge], [0.0], "o", color=style.ORANGE, markersize=5)
    axes.annotate(threshold, (edge, 0.0), xytext=(7, offset), textcoords="offset points", color=style.ORANGE)
    axes.text(
        negative.mean(), 0.93, "ANM", transform=axes.get_xaxis_transform(), color=style.GREY, ha="center", va="top"
    )
    axes.set(xlabel=AXES[along], ylabel=AXES["J_L"], xlim=(x[0], x[-1]))
    axes.locator_params(axis="x", nbins=5)
    return figure


def draw_5a(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_5(data, "gradient", r"$\Delta T_{\mathrm{th}}$")


def draw_5b(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_5(data, "bias", r"$\Delta V_{\mathrm{th}}$")


# --------------------------------------------------------------------------- figures 6 and 7: reverse heat transport


def compute_6() -> "Dataset":
    return curves(bias=[0.0, 2.5, 5.0], **PRINTED, level=np.linspace(-30, 30, POINTS // 3))


def check_6(data: "Dataset") -> Iterator[Number]:
    yield none_of("points at ΔV = 0 where Q_R is not positive", ~(data.Q_R.sel(bias=0) > 0))
    for value, curve in _each(data.sel(bias=data.bias > 0), "bias"):
        edges = (reversible_level(**PRINTED, bias=value), -value / 2)
        found = zeros(curve, "Q_R")
        yield Number(
            f"level ε_r where Q_R turns negative, ΔV = {value:g} (from eq. 10)", edges[0], only(found, 0, 2), EXACT
        )
        yield Number(
            f"level where Q_R turns positive again, ΔV = {value:g} (ε = μ_R, from eq. 8)",
            edges[1],
            only(found, 1, 2),
            EXACT,
        )
        between = (edges[0] < curve.level) & (curve.level < edges[1])
        yield none_of(
            f"points where reverse heat transport and ε_r < ε < μ_R do not go together, ΔV = {value:g}",
            curve.reverse_heat_transport != between,
        )


def draw_6(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "Q_R", "bias", r"\Delta V")
    axes.set_ylim(-0.45, None)
    _shade_below_zero(axes, style.TINTS["refrigerator"], "reverse heat transport")
    inset = axes.inset_axes((0.35, 0.68, 0.22, 0.29))
    _family(inset, data, "Q_R", "bias", r"\Delta V", legend=False)
    inset.set(xlim=(-10, 2), ylim=(-0.18, 0.18))
    inset.axhspan(-0.18, 0.0, color=style.TINTS["refrigerator"], linewidth=0, zorder=-1)
    _small(inset, "", "")
    return figure


def compute_7a() -> "Dataset":
    return curves(**PRINTED, level=-15.0, bias=np.linspace(0, 40, POINTS))


def check_7a(data: "Dataset") -> Iterator[Number]:
    found = zeros(data, "Q_R")
    yield Number("ΔV where reverse heat transport begins (|ε|ΔT/T, from eq. 8)", 10.0, only(found, 0, 2), EXACT)
    yield Number("ΔV where reverse heat transport ends (2|ε|, from eq. 8)", 30.0, only(found, 1, 2), EXACT)
    inside = (data.bias > 10) & (data.bias < 30)
    yield none_of(
        "points where reverse heat transport and 10 < ΔV < 30 do not go together", data.reverse_heat_transport != inside
    )
    slope = np.sign(data.Q_R.where(inside, drop=True).diff("bias"))
    yield Number(
        "turning points of Q_R inside the window (first grows, then shrinks)",
        1,
        int((slope.diff("bias") != 0).sum()),
        0,
    )


def compute_7b() -> "Dataset":
    return curves(mean_temperature=7.5, bias=5.0, level=-15.0, gradient=np.linspace(0, 10, POINTS))


def check_7b(data: "Dataset") -> Iterator[Number]:
    yield Number(
        "ΔT where reverse heat transport ends (ΔT_th = −ΔV·T/ε, from eq. 8)", 2.5, only(zeros(data, "Q_R"), 0, 1), EXACT
    )
    forward = data.sel(gradient=data.gradient > 0)
    yield none_of(
        "points with ΔT > 0 where reverse heat transport and ΔT < ΔT_th do not go together",
        forward.reverse_heat_transport != (forward.gradient < 2.5),
    )
    yield none_of(
        "points where Q_R does not grow with ΔT (the gradient suppresses it)", ~(data.Q_R.diff("gradient") > 0)
    )


def _draw_7(data: "Dataset", along: str) -> "matplotlib.figure.Figure":
    figure = style.new_figure(4.4, 3.4)
    axes = figure.subplots()
    x = data[along].values
    reverse = x[data.reverse_heat_transport.values]
    axes.axvspan(reverse.min(), reverse.max(), color=style.TINTS["refrigerator"], linewidth=0, zorder=-1)
    axes.plot(x, data.Q_R, color=style.BLUE)
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    axes.text(
        reverse.mean(), 0.93, "RHT", transform=axes.get_xaxis_transform(), color=style.GREY, ha="center", va="top"
    )
    axes.set(xlabel=AXES[along], ylabel=AXES["Q_R"], xlim=(x[0], x[-1]))
    return figure


def draw_7a(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_7(data, "bias")


def draw_7b(data: "Dataset") -> "matplotlib.figure.Figure":
    return _draw_7(data, "gradient")


# --------------------------------------------------------------------------- figures 8 and 9: the four regions


def compute_8() -> "Dataset":
    return curves(**PRINTED, bias=5.0, level=np.linspace(-20, 20, POINTS))


def compute_9() -> "Dataset":
    return curves(**PRINTED, bias=-5.0, level=np.linspace(-20, 20, POINTS))


def _regions(data: "Dataset") -> list[tuple[str, float, float]]:
    """(regime, from, to) along the level, as the data have them."""
    regime, level = regimes.names(data.regime), data.level.values
    edges = np.flatnonzero(regime[1:] != regime[:-1])
    borders = [level[0], *((level[edges] + level[edges + 1]) / 2), level[-1]]
    starts = [0, *(edges + 1)]
    return [(str(regime[k]), borders[n], borders[n + 1]) for n, k in enumerate(starts)]


def _check_regions(data: "Dataset", expected: dict[str, tuple[float, float]]) -> Iterator[Number]:
    for number, (regime, (low, high)) in enumerate(expected.items(), start=1):
        inside = (low < data.level) & (data.level < high)
        other = data.regime != regimes.code(regime)
        yield none_of(f"points of region {number} that are not in the regime {regime}", other & inside)
    yield none_of("points where s is not positive (second law)", ~(data.s > 0))


def check_8(data: "Dataset") -> Iterator[Number]:
    level = only(zeros(data, "J_L"), 0, 1)
    yield Number("border of regions 1 and 2: ε_r, J_L = 0 (from eq. 10)", -7.5, level, EXACT)
    yield Number("border of regions 2 and 3: μ_R, Q_R = 0 (from eq. 8)", -2.5, only(zeros(data, "Q_R"), 1, 2), EXACT)
    yield Number("border of regions 3 and 4: μ_L, Q_L = 0 (from eq. 7)", 2.5, only(zeros(data, "Q_L"), 1, 2), EXACT)
    yield from _check_regions(
        data,
        {"engine": (-20.0, -7.5), "refrigerator": (-7.5, -2.5), "heater": (-2.5, 2.5), "accelerator": (2.5, 20.0)},
    )
    yield none_of(
        "points where negative mobility and region 1 do not go together",
        data.absolute_negative_mobility != (data.level < -7.5),
    )
    yield none_of(
        "points where reverse heat transport and region 2 do not go together",
        data.reverse_heat_transport != ((data.level > -7.5) & (data.level < -2.5)),
    )


def check_9(data: "Dataset") -> Iterator[Number]:
    yield Number("border of regions 1 and 2: μ_L, Q_L = 0 (from eq. 7)", -2.5, only(zeros(data, "Q_L"), 0, 2), EXACT)
    yield Number("border of regions 2 and 3: μ_R, Q_R = 0 (from eq. 8)", 2.5, only(zeros(data, "Q_R"), 0, 2), EXACT)
    yield Number("border of regions 3 and 4: ε_r, J_L = 0 (from eq. 10)", 7.5, only(zeros(data, "J_L"), 0, 1), EXACT)
    yield from _check_regions(
        data,
        {"accelerator": (-20.0, -2.5), "heater": (-2.5, 2.5), "refrigerator": (2.5, 7.5), "engine": (7.5, 20.0)},
    )
    flags = data.absolute_negative_mobility | data.reverse_heat_transport | data.anomalous_thermodiffusion
    yield none_of("points flagged as anomalous (all is ordinary thermoelectric transport)", flags)


def _draw_regions(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.2, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.25, 1))
    level = data.level
    upper.plot(level, data.Q_L, label=r"$Q_L$")
    upper.plot(level, data.Q_R, label=r"$Q_R$")
    lower.plot(level, data.J_L, label=r"$J_L$", color=style.GREEN, linestyle="-")
    lower.plot(level, data.s, label=r"$s$", color=style.PURPLE, linestyle=style.DASHES[1])
    for number, (regime, low, high) in enumerate(_regions(data), start=1):
        for axes in (upper, lower):
            axes.axvspan(low, high, color=style.TINTS[regime], linewidth=0, zorder=-1)
        where = {"x": (low + high) / 2, "transform": upper.get_xaxis_transform(), "ha": "center"}
        upper.text(y=0.97, s=str(number), va="top", weight="bold", size=11, **where)
        upper.text(y=1.02, s=regime, va="bottom", size=8.5, color=style.GREY, **where)
    for axes, quantities in ((upper, "$Q_L$,  $Q_R$"), (lower, "$J_L$,  $s$")):
        axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
        axes.set_ylabel(quantities)
        axes.legend(loc="lower right", ncols=2)
    upper.set_ylim(None, 1.14 * float(data.Q_R.max()))
    lower.set(xlabel=AXES["level"], xlim=(level[0], level[-1]))
    return figure


# --------------------------------------------------------------------------- the paper


PAPER = Paper(
    name="quantum-dot-anomalies",
    title="Anomalous thermodiffusion, absolute negative mobility and reverse heat transport in a single quantum dot",
    authors="Yanchao Zhang and Xiaolong Lü",
    summary=(
        "A single level between two electron baths already shows three currents that flow the wrong way: particles "
        "from cold to hot without a bias (anomalous thermodiffusion), particles against a bias and a temperature "
        "gradient that point the same way (absolute negative mobility, ANM), and heat out of the bath that is colder "
        "and has the lower chemical potential (reverse heat transport, RHT). The level ε_r at which the machine is "
        "reversible separates the last two. In terms of what the machine does, ANM is an engine, and RHT is a "
        "refrigerator. T_L,R = T ± ΔT/2, μ_L,R = ±ΔV/2, and γ = γ_Lγ_R/(γ_L + γ_R) = 1; J_L and Q_L leave the left "
        "bath, Q_R enters the right one."
    ),
    check=numbers,
    figures=(
        Figure(
            "2",
            "Anomalous thermodiffusion at several temperatures",
            "Particle current J_L against the level ε; inset: heat flow Q_L. Printed: ΔT = 5, ΔV = 0. Chosen here: T "
            "= 5, 7.5, 10, 15 and the range of ε.",
            "J_L is negative for levels below zero and positive above, for every temperature; Q_L is positive.",
            compute_2,
            draw_2,
            check_2,
        ),
        Figure(
            "3",
            "Anomalous thermodiffusion at several gradients",
            "Particle current J_L against the level ε; inset: heat flow Q_L. Printed: T = 7.5, ΔV = 0. Chosen here: "
            "ΔT = 2.5, 5, 7.5, 10 and the range of ε.",
            "The curves of J_L and of Q_L grow with the temperature gradient and keep their signs.",
            compute_3,
            draw_3,
            check_3,
        ),
        Figure(
            "4",
            "Absolute negative mobility",
            "Particle current J_L against the level ε under a forward bias. ANM occurs below ε_r (the paper's caption "
            "has ε < 0). Printed: T = 7.5, ΔV = 5, and ΔT = 0 among the curves. Chosen here: ΔT = 2.5, 5, 10 and the "
            "range of ε.",
            "Without a gradient J_L is positive everywhere; with one it is negative for levels below ε_r.",
            compute_4,
            draw_4,
            check_4,
        ),
        Figure(
            "5a",
            "Negative mobility and gradient",
            "Particle current J_L against the temperature gradient ΔT; shaded: absolute negative mobility. Printed: T "
            "= 7.5, ε = −15, ΔV = 5. Chosen here: the range of ΔT.",
            "J_L falls with the gradient, and is negative beyond a threshold of 2.5.",
            compute_5a,
            draw_5a,
            check_5a,
        ),
        Figure(
            "5b",
            "Negative mobility and bias",
            "Particle current J_L against the bias voltage ΔV; shaded: absolute negative mobility. Printed: T = 7.5, "
            "ε = −15, ΔT = 5. Chosen here: the range of ΔV.",
            "J_L is negative below a bias of 10 and positive and growing beyond.",
            compute_5b,
            draw_5b,
            check_5b,
        ),
        Figure(
            "6",
            "Reverse heat transport",
            "Heat flow Q_R into the right, colder bath against the level ε. RHT occurs for ε_r < ε < μ_R (the paper's "
            "caption has ε < 0). Printed: T = 7.5, ΔT = 5, ΔV = 0, 2.5, 5. Chosen here: the range of ε, and an inset "
            "that enlarges the dip.",
            "Q_R is positive without bias and dips below zero for levels between ε_r and μ_R with bias.",
            compute_6,
            draw_6,
            check_6,
        ),
        Figure(
            "7a",
            "Reverse heat transport and bias",
            "Heat flow Q_R against the bias voltage ΔV; shaded: reverse heat transport. Printed (in the text): ΔT = "
            "5. The caption of Fig. 7 is missing: T = 7.5 and ε = −15 are inferred from Fig. 5. Chosen here: the "
            "range of ΔV.",
            "Q_R is negative between ΔV = 10 and 30, with one minimum.",
            compute_7a,
            draw_7a,
            check_7a,
        ),
        Figure(
            "7b",
            "Reverse heat transport and gradient",
            "Heat flow Q_R against the temperature gradient ΔT; shaded: reverse heat transport. The caption of Fig. 7 "
            "is missing: T = 7.5, ε = −15 and ΔV = 5 are inferred from Fig. 5. Chosen here: the range of ΔT.",
            "Q_R is negative at zero gradient, grows with it and is positive beyond 2.5.",
            compute_7b,
            draw_7b,
            check_7b,
        ),
        Figure(
            "8",
            "Anomalous transport: four regions",
            "Heat flows Q_L and Q_R, particle current J_L and entropy production s against the level ε. Regions: 1 "
            "absolute negative mobility (an engine), 2 reverse heat transport (a refrigerator), 3 a heater, 4 "
            "ordinary transport. Printed: T = 7.5, ΔT = 5, ΔV = 5. Chosen here: the range of ε, and two panels.",
            "Four shaded regions with borders at −7.5, −2.5 and 2.5; s touches zero at −7.5 and is positive elsewhere.",
            compute_8,
            _draw_regions,
            check_8,
        ),
        Figure(
            "9",
            "Thermoelectric transport: four regions",
            "As Fig. 8 with the bias reversed. Regions: 1 ordinary transport, 2 a heater (called region 3 at its "
            "first mention in the paper), 3 a refrigerator, 4 an engine. Printed: T = 7.5, ΔT = 5, ΔV = −5. Chosen "
            "here: the range of ε, and two panels.",
            "Four shaded regions with borders at −2.5, 2.5 and 7.5; s touches zero at 7.5 and is positive elsewhere.",
            compute_9,
            _draw_regions,
            check_9,
        ),
    ),
)
