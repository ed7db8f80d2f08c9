"""Hu, Nian and Lü: a biased conductor as four baths of electron–hole pairs, beside a bath of phonons.

The paper's signs: J goes from the electrons into the phonons (−`heat["phonons"]` here), I_e out of the left lead
(`particles["left"]`). Energies are in units of the mode's Ω (k_B = ħ = e = 1); the displacement has unit mass.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import style
from ..baths import BosonBath, ElectronBath
from ..machines import BosonJunction
from ..reproduction.crossings import crossings, only
from ..reproduction.paper import Figure, Number, Paper, holds, none_of
from ..sweep import sweep

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.axes import Axes
    from xarray import Dataset

POINTS = 560
"""Points of every sweep, so that one compiled program serves all; divided among the curves of a figure."""
COLD, BROAD = 0.8, 0.75
"""T_ph of the narrow mode, and the damping of the other reading (T_ph = 1): neither is printed."""

UNITS = {
    "change": "1",
    "phonon_temperature": "E/k_B",
    "potential": "E",
    "bias": "E",
    "halfwidth": "E",
    "damping": "E/hbar",
}
MEANINGS = {
    "change": "relative temperature difference ΔT/T_ph = (T_e − T_ph)/T_ph",
    "phonon_temperature": "temperature T_ph of the phonons",
    "potential": "mean chemical potential μ",
    "bias": "difference of chemical potentials μ_LR = μ_L − μ_R",
    "halfwidth": "half width of both levels",
    "damping": "ohmic damping of the mode (0: narrow)",
}
OBSERVABLES = {
    "emission": ("E/hbar", "rate of emission by all pairs"),
    "absorption": ("E/hbar", "rate of absorption by all pairs"),
    "population": ("1", "population of the mode with the pairs alone"),
    "effective_temperature": ("E/k_B", "effective temperature of the mode with the pairs alone"),
    "effective_chemical_potential": ("E", "effective chemical potential of the mode with the pairs alone"),
}


# --------------------------------------------------------------------------- data


DEFAULTS = {
    "potential": 0.0,
    "bias": 0.0,
    "halfwidth": 0.5,
    "damping": 0.0,
    "phonon_temperature": 1.0,
    "change": 0.0,
}


def build(
    potential: Any, bias: Any, halfwidth: Any, damping: Any, phonon_temperature: Any, change: Any
) -> BosonJunction:
    """The paper's two dots: ε_L = 0.5, ε_R = −0.5, m = 0.5, Ω = 1; T_e = T_ph + ΔT with ΔT/T_ph = `change`."""
    electrons = phonon_temperature * (1 + change)
    return BosonJunction(
        halfwidth_left=halfwidth,
        halfwidth_right=halfwidth,
        damping=damping,
        left=ElectronBath(electrons, potential + bias / 2),
        right=ElectronBath(electrons, potential - bias / 2),
        phonons=BosonBath(phonon_temperature),
    )


def curves(**parameters: Any) -> "Dataset":
    """A sweep over lists among the parameters (the last one along the curves), with J, I_e and η.

    All parameters are always given, in one order, so that one compiled program serves all sweeps.
    """
    given = {name: value for name, value in DEFAULTS.items() if name not in parameters} | parameters
    lists = {name: np.atleast_1d(values) for name, values in given.items()}
    data = sweep(build, lists, progress=False)
    data = data.squeeze([name for name, values in lists.items() if values.size == 1])
    data["J"] = (-data.heat.sel(bath="phonons")).assign_attrs(
        units="E**2/hbar", long_name="energy flow from the electrons into the phonons"
    )
    data["I_e"] = data.particles.sel(bath="left").assign_attrs(
        units="E/hbar", long_name="electron flow from left to right"
    )
    data["eta"] = (data.I_e / data.J).assign_attrs(units="1", long_name="electrons per phonon, η = I_e/(J/Ω)")
    for name in ("J", "I_e", "eta"):
        data[name] = data[name].drop_vars("bath", errors="ignore")
    for name, (units, meaning) in OBSERVABLES.items():
        data[name] = data[name].assign_attrs(units=units, long_name=meaning)
    for name in UNITS.keys() & data.coords.keys():
        data[name] = data[name].assign_attrs(units=UNITS[name], long_name=MEANINGS[name])
    return data


def zeros(data: "Dataset", name: str, **fixed: Any) -> list[float]:
    """Where a curve of the data crosses zero, refined by further sweeps through the solver."""
    (along,) = data[name].dims

    def evaluate(x: np.ndarray) -> np.ndarray:
        return curves(**fixed, **{str(along): x})[name].values

    return crossings(evaluate, data[along].values, data[name].values, POINTS)


def bose(x: float) -> float:
    return 1 / math.expm1(x)


def at(**parameters: Any) -> "Dataset":
    """One point (all points of a sweep are this one, so that nothing new is compiled)."""
    name, value = parameters.popitem()
    return curves(**parameters, **{name: np.full(POINTS, value)}).isel({name: 0})


def numbers() -> Iterator[Number]:
    for temperature, bias, value in ((0.5, -1.0, -0.03486), (0.5, 1.0, 0.10246), (1.0, -3.0, -0.14255)):
        found = at(bias=bias, phonon_temperature=temperature)
        yield Number(
            f"J·2Ω at T = {temperature:g}, μ_LR = {bias:g} (independent quadrature of eq. 13)".replace("-", "−"),
            value,
            2 * float(found.J),
            0.5e-5,
        )
    for change, percent in ((-0.5, 76.4), (0.5, 68.9)):
        found = at(phonon_temperature=1.0, change=change)
        yield Number(
            f"η in %, T_ph = 1, μ = 0, ΔT/T_ph = {change:g} (independent quadrature of eqs. 13 and 14)".replace(
                "-", "−"
            ),
            percent,
            100 * float(found.eta),
            0.05,
        )
    yield from _flat_band()
    yield from _detailed_balance()


def _flat_band() -> Iterator[Number]:
    """Very wide levels: Λ is ohmic, and the electrons are one more harmonic bath (Sec. III A)."""
    wide = 1e7
    hot = at(halfwidth=wide, phonon_temperature=1.0, change=0.5)
    cold = at(halfwidth=wide, phonon_temperature=1.0, change=-0.5)
    gain, loss = bose(1 / 1.5) - bose(1.0), bose(1.0) - bose(1 / 0.5)
    yield Number(
        "ρ with energy-independent levels, ΔT/T_ph = 0.5, T_ph = 1 (not 0: T_ph is fixed; from eq. 13)",
        (gain - loss) / ((gain + loss) / 2),
        float((hot.J + cold.J) / ((hot.J - cold.J) / 2)),
        1e-6,
    )
    swapped = at(halfwidth=wide, phonon_temperature=1.5, change=1.0 / 1.5 - 1)
    yield Number(
        "−J/J with energy-independent levels and exchanged temperatures (linear baths: Sec. III A)",
        1.0,
        float(-swapped.J / hot.J),
        1e-6,
    )


def _detailed_balance() -> Iterator[Number]:
    machine = build(**DEFAULTS | {"phonon_temperature": 0.5, "bias": 0.4}).dynamics()
    found = machine.spectra([1.0, 0.4])
    for name, mu in (("left-right", 0.4), ("right-left", -0.4)):
        yield Number(
            f"emission over absorption of pairs {name}, T_e = 0.5, μ_LR = 0.4, ω = 1 (eq. 4)",
            math.exp(-(1.0 - mu) / 0.5),
            float(found.emission[name][0] / found.absorption[name][0]),
            1e-12,
        )
    yield Number(
        "emission over absorption of pairs left-right at ω = μ_LR (eq. 4; finite, though n_B is not)",
        1.0,
        float(found.emission["left-right"][1] / found.absorption["left-right"][1]),
        1e-12,
    )


# --------------------------------------------------------------------------- figure 2: the two limiting cases


def compute_2() -> "Dataset":
    return curves(
        phonon_temperature=0.2,
        halfwidth=[0.05, 0.1, 0.2, 0.5],
        bias=np.linspace(-3, 3, POINTS // 4),
    )


THRESHOLDS = {0.05: 1.00107, 0.1: 1.00456, 0.2: 1.02067, 0.5: 1.16449}
"""Bias at which emission and absorption by pairs are equal."""


def check_2(data: "Dataset") -> Iterator[Number]:
    hot, cold = data.where(data.bias > 0, drop=True), data.where(data.bias < 0, drop=True)
    te = float(data.phonon_temperature)
    steady = hot.population.notnull()
    yield none_of(
        "points of case (a), μ_LR > 0, with T_eff ≤ T_e or μ_eff ≤ 0 below the instability (eqs. 10 and 11)",
        steady & ~((hot.effective_temperature > te) & (hot.effective_chemical_potential > 0)),
    )
    near = (cold.bias > -1) & (cold.halfwidth < 0.5)
    yield none_of(
        "points of case (b), −1 < μ_LR < 0, half widths below 0.5, with T_eff ≥ T_e or μ_eff ≥ 0 (eqs. 10 and 11)",
        near & ~((cold.effective_temperature < te) & (cold.effective_chemical_potential < 0)),
    )
    known = data.where(data.population.notnull())
    relation = known.effective_temperature * (1 - known.effective_chemical_potential) / te - 1
    yield Number("largest relative error of eq. 12, T_eff = T_e/(1 − μ_eff/Ω)", 0.0, float(abs(relation).max()), 1e-10)
    for width, value in THRESHOLDS.items():
        curve = data.sel(halfwidth=width)
        curve["gain"] = curve.emission - curve.absorption

        def gain(x: np.ndarray, width: float = width) -> np.ndarray:
            found = curves(phonon_temperature=te, halfwidth=width, bias=x)
            return (found.emission - found.absorption).values

        threshold = only(crossings(gain, curve.bias.values, curve.gain.values, POINTS), 0, 1)
        yield Number(
            f"bias where the mode becomes unstable, half widths {width:g} (eq. 9, independent quadrature)",
            value,
            threshold,
            0.5e-5,
        )


def draw_2(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(7.6, 3.6)
    left, right = figure.subplots(1, 2)
    for width in data.halfwidth.values:
        curve = data.sel(halfwidth=width)
        label = f"$\\gamma = {width:g}$"
        left.semilogy(curve.bias, curve.effective_temperature / data.phonon_temperature, label=label)
        right.plot(curve.bias, curve.effective_chemical_potential, label=label)
    for axes, place in ((left, 1.0), (right, 0.0)):
        axes.axhline(place, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
        axes.axvline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
        axes.set(xlabel=r"bias  $\mu_{LR}$", xlim=(data.bias[0], data.bias[-1]))
        axes.text(0.25, 0.04, "(b) cooling", transform=axes.transAxes, ha="center", color=style.GREY)
        axes.text(0.75, 0.04, "(a) heating", transform=axes.transAxes, ha="center", color=style.GREY)
    left.set(ylabel=r"effective temperature  $T_{\mathrm{eff}}/T_e$", ylim=(0.3, 60))
    right.set(ylabel=r"effective potential  $\mu_{\mathrm{eff}}/\Omega$", ylim=(-1.3, 1.3))
    right.axhline(1.0, color=style.GREY, linewidth=0.7, linestyle=":", zorder=0)
    right.text(-2.9, 1.04, "unstable", color=style.GREY, va="bottom", size=8.5)
    left.legend(loc="upper left")
    return figure


# --------------------------------------------------------------------------- figure 3: non-reciprocal heat


def compute_3() -> "Dataset":
    data = curves(
        phonon_temperature=COLD,
        potential=[0.0, 1.0, 2.0, 3.0],
        change=np.linspace(-0.6, 0.6, POINTS // 4),
    )
    forward = data.J.sel(change=data.change > 0)
    # The grid is symmetric: the same |ΔT|, in the same order.
    backward = abs(data.J.sel(change=data.change < 0).values[:, ::-1])
    mean = (abs(forward) + backward) / 2
    data["rho"] = (
        ((abs(forward) - backward) / mean)
        .rename(change="size")
        .assign_attrs(units="1", long_name="rectification ratio ρ")
    )
    data["size"] = data["size"].assign_attrs(units="1", long_name="|ΔT|/T_ph")
    return data


def check_3(data: "Dataset") -> Iterator[Number]:
    yield none_of("points where heat does not flow from hot to cold", ~(data.J * data.change > 0))
    still = at(phonon_temperature=COLD, change=0.0)
    yield Number("J at ΔT = 0 (eq. 13)", 0.0, float(still.J), 0.0)
    yield none_of("points with ρ = 0: heat flow is nowhere reciprocal", ~(abs(data.rho) > 0))
    last = data.rho.isel(size=-1)
    yield holds("ρ at the largest |ΔT| is not the same for all μ", float(last.max() - last.min()) > 0.05)
    small = abs(data.rho.isel(size=0)).max()
    yield holds("ρ vanishes with ΔT", float(small) < 0.03)


def draw_3(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(7.6, 3.5)
    left, right = figure.subplots(1, 2)
    for mu in data.potential.values:
        curve = data.sel(potential=mu)
        left.plot(data.change, curve.J, label=f"$\\mu = {mu:g}$")
        right.plot(data["size"], curve.rho, label=f"$\\mu = {mu:g}$")
    for axes in (left, right):
        axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    left.axvline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    left.set(xlabel=r"$\Delta T/T_{\mathrm{ph}}$", ylabel=r"heat flow  $J$", xlim=(data.change[0], data.change[-1]))
    right.set(xlabel=r"$|\Delta T|/T_{\mathrm{ph}}$", ylabel=r"rectification ratio  $\rho$", xlim=(0, data["size"][-1]))
    left.set_title("(a)", loc="left")
    right.set_title("(b)", loc="left")
    left.legend(loc="upper left")
    return figure


# --------------------------------------------------------------------------- figure 4: current from a cold spot

READINGS = (("narrow", COLD, 0.0, 0.4), ("broad", 1.0, BROAD, 0.5))
"""Name, T_ph, damping, and the largest |ΔT|/T_ph."""


def compute_4() -> "Dataset":
    import xarray as xr

    parts = [
        curves(
            phonon_temperature=phonons,
            damping=damping,
            potential=np.arange(7.0),
            change=np.linspace(-0.5, 0.5, POINTS // 7),
        ).drop_vars(("phonon_temperature", "damping"))
        for _, phonons, damping, _ in READINGS
    ]
    data = xr.concat(parts, xr.DataArray([name for name, *_ in READINGS], dims="case"), combine_attrs="override")
    data["case"].attrs["long_name"] = "narrow mode with T_ph = 0.8, or damping 0.75 with T_ph = 1"
    return data


def check_4(data: "Dataset") -> Iterator[Number]:
    for reading, *_, reach in READINGS:
        part = data.sel(case=reading)
        part = part.sel(change=abs(part.change) <= reach)
        name = f"{reading} mode"
        best = part.eta.idxmax("change").notnull() * part.eta.max("change")
        yield Number(f"μ with the largest η, {name} (between the levels)", 0.0, float(best.idxmax("potential")), 0.0)
        yield Number(f"largest η in %, {name} (last tick of the axis; one tick)", 70, 100 * float(part.eta.max()), 10)
        yield Number(f"smallest η in %, {name} (first tick)", 0, 100 * float(part.eta.min()), 10)
        yield Number(f"smallest I_e, {name} (first tick; one tick)", -0.020, float(part.I_e.min()), 0.005)
        yield Number(f"largest I_e, {name} (last tick; one tick)", 0.010, float(part.I_e.max()), 0.005)
        resonant = part.sel(potential=0.0)
        yield none_of(
            f"points at μ = 0 where I_e does not have the sign of ΔT, {name}", ~(resonant.I_e * resonant.change > 0)
        )
    density = build(**DEFAULTS | {"phonon_temperature": COLD}).dynamics().spectra(1.0).density
    limit = (density["left-right"] - density["right-left"]) / (density["left-right"] + density["right-left"])
    tiny = at(phonon_temperature=COLD, change=1e-9)
    yield Number(
        "η at ΔT → 0, μ = 0, narrow mode (from eqs. 13 and 14: a ratio of Λ)", float(limit), float(tiny.eta), 1e-8
    )
    cold = data.cold_spot_current
    yield none_of("points where cold phonons (ΔT > 0) draw no current", (data.change > 0) & ~cold)


def draw_4(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(7.6, 6.4)
    panels = figure.subplots(2, 2, sharex=True)
    colours = (*style.COLOURS, style.BLACK)
    dashes = (*style.DASHES, "-")
    titles = (r"narrow mode, $T_{\mathrm{ph}} = 0.8$", r"damping 0.75, $T_{\mathrm{ph}} = 1$")
    for row, (reading, *_, reach), title in zip(panels, READINGS, titles, strict=True):
        part = data.sel(case=reading)
        part = part.sel(change=abs(part.change) <= reach)
        for k, mu in enumerate(data.potential.values):
            curve = part.sel(potential=mu)
            look = {"color": colours[k], "linestyle": dashes[k], "label": f"$\\mu = {mu:g}$"}
            row[0].plot(part.change, 100 * curve.eta, **look)
            row[1].plot(part.change, curve.I_e, **look)
        row[0].set(ylabel=r"$\eta$  (%)", title=title)
        row[1].set(ylabel=r"electron flow  $I_e$", title=title, xlim=(-0.5, 0.5))
        row[1].axvline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
        for axes in row:
            axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    for axes in panels[1]:
        axes.set_xlabel(r"$\Delta T/T_{\mathrm{ph}}$")
    panels[0, 1].legend(loc="lower right", ncols=2)
    return figure


# --------------------------------------------------------------------------- figure 5: cooling

TEMPERATURES = (0.2, 0.4, 0.6, 1.0)


def compute_5() -> "Dataset":
    return curves(phonon_temperature=list(TEMPERATURES), bias=np.linspace(-6, 4, POINTS // 4))


def check_5(data: "Dataset") -> Iterator[Number]:
    yield none_of("points with μ_LR > 0 where the mode is cooled", (data.bias > 0) & ~(data.J > 0))
    ends = []
    for temperature in TEMPERATURES[:3]:
        curve = data.sel(phonon_temperature=temperature)
        found = zeros(curve, "J", phonon_temperature=temperature) if temperature < 0.6 else []
        if found:
            ends.append(only(found, 0, 2))
            yield Number(
                f"bias where cooling ends, T = {temperature:g}: J = 0 in equilibrium (eq. 13)", 0.0, found[-1], 1e-9
            )
    yield holds("the range of cooling grows with T", ends == sorted(ends, reverse=True))
    for temperature in TEMPERATURES[2:]:
        curve = data.sel(phonon_temperature=temperature)
        yield none_of(
            f"points with μ_LR < 0 that are not cooled, T = {temperature:g}", (curve.bias < 0) & ~(curve.J < 0)
        )
    grid = np.linspace(0.3, 1.0, POINTS)
    far = curves(bias=-1e5, phonon_temperature=grid)
    yield Number(
        "temperature above which any negative bias cools, Ω/ln 5 for these half widths (from eq. 13)",
        1 / math.log(5),
        only(zeros(far, "J", bias=-1e5), 0, 1),
        1e-6,
    )


def draw_5(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes: Axes = figure.subplots()
    for temperature in data.phonon_temperature.values:
        axes.plot(data.bias, data.J.sel(phonon_temperature=temperature), label=f"$T = {temperature:g}$")
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    low, high = float(data.J.min()) * 1.15, float(data.J.max()) * 1.05
    axes.axhspan(low, 0.0, color=style.TINTS["heater"], linewidth=0, zorder=-1)
    axes.set(
        xlabel=r"bias  $\mu_{LR}$",
        ylabel=r"energy flow into the mode  $J$",
        xlim=(data.bias[0], data.bias[-1]),
        ylim=(low, high),
    )
    axes.text(0.97, 0.04, "cooling of the mode", transform=axes.transAxes, color=style.GREY, ha="right", va="bottom")
    axes.legend(loc="upper left")
    return figure


# --------------------------------------------------------------------------- the paper


PRINTED = (
    "Printed: ε_L = 0.5, ε_R = −0.5, γ_L = γ_R = 0.5, m = 0.5, Ω = 1. Inferred: γ is a half width, u has unit mass"
)

PAPER = Paper(
    name="pair-baths",
    title="Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport "
    "(later version)",
    authors="Bing-Zhong Hu, Lei-Lei Nian and Jing-Tao Lü",
    summary=(
        "Electrons that pass a conductor with the help of a boson mode form electron–hole pairs of four kinds, each a "
        "bath of bosons at the electrons' temperature and with the chemical potential μ_αβ = μ_α − μ_β. Heat between "
        "electrons and phonons then follows a formula like Landauer's. Two levels on two leads show non-reciprocal "
        "heat flow, an electron current drawn by a cold spot, and a mode that is cooled by a bias. Lowest order in the "
        "coupling, inelastic currents only, electrons of one spin. J enters the phonons, I_e leaves the left lead."
    ),
    check=numbers,
    figures=(
        Figure(
            "2",
            "The two limiting cases: effective temperature and potential of the mode",
            "Fig. 2 of the paper is a drawing; here is what its cases do to a mode that pairs alone excite and damp "
            "(eqs. 9–12): (a) μ_LR > 0, emission is enhanced, up to instability (μ_eff = Ω), where the curves end; (b) "
            "μ_LR < 0, absorption is enhanced. (The text after eq. 12 has the signs of μ_eff the other way round.) "
            "Printed: ε_L = 0.5, ε_R = −0.5, Ω = 1 (Fig. 3). Chosen here: half widths γ = 0.05, 0.1, 0.2, 0.5 and "
            "T_e = 0.2.",
            "T_eff rises above T_e for positive bias and diverges near a bias of 1 for narrow levels; it is below T_e "
            "for negative bias. The effective potential rises from negative values to 1.",
            compute_2,
            draw_2,
            check_2,
        ),
        Figure(
            "3",
            "Non-reciprocal heat transport",
            "(a) Heat flow J from the electrons into the phonons against ΔT/T_ph, T_e = T_ph + ΔT; (b) rectification "
            f"ratio ρ, the difference of |J(+)| and |J(−)| over their mean. {PRINTED}, the mode is narrow, T_ph = 0.8, "
            "and the 2 of ρ belongs to the mean in its denominator. Chosen here: μ = μ_L = μ_R = 0, 1, 2, 3 and the "
            "range of ΔT.",
            "J rises through zero at equal temperatures; ρ starts at zero and departs from it with the temperature "
            "difference, differently for each chemical potential.",
            compute_3,
            draw_3,
            check_3,
        ),
        Figure(
            "4",
            "Electron current from a cold spot",
            "Electrons per phonon η and electron flow I_e against ΔT/T_ph, for μ = μ_L = μ_R. "
            f"{PRINTED}; T_ph and the damping are not printed. Upper row: a narrow mode with T_ph = 0.8. Lower row: "
            "damping 0.75 with T_ph = 1. Both come near the printed ranges (η 0…70 %, I_e −0.020…0.010); a narrow mode "
            "with T_ph = 1 would reach I_e = −0.027.",
            "η is largest for a chemical potential between the levels, about 70 percent, and falls with the potential. "
            "I_e rises through zero at equal temperatures for small potentials.",
            compute_4,
            draw_4,
            check_4,
        ),
        Figure(
            "5",
            "Electronic cooling of the mode",
            "Energy flow J from the electrons into the mode against μ_LR, μ_L = −μ_R = μ_LR/2, at T_e = T_ph = T; "
            f"shaded: the mode is cooled. {PRINTED}, and the mode is narrow. Chosen here: T = 0.2, 0.4, 0.6, 1 and the "
            "range of μ_LR.",
            "J is positive for positive bias, and negative over a range of negative bias that grows with temperature.",
            compute_5,
            draw_5,
            check_5,
        ),
    ),
)
