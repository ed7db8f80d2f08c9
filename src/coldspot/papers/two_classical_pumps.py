"""Marathe, Jayannavar and Dhar: driven Ising spins that pump heat or work as an engine, and oscillators that do not.

The paper's signs are coldspot's: q_L, q_R are absorbed from the baths, ẇ is work done on the spins or oscillators.
Energies are in units of J, rates as in the paper (r = 0.5, k_B = 1).
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import regimes, style
from ..baths import HeatBath
from ..dynamics import TOLERANCE, checked_tolerance, solve_points, steady_state
from ..jump.evolution import evolve
from ..machines import OscillatorPair, SpinPair
from ..reproduction.crossings import crossings, only
from ..reproduction.paper import Figure, Number, Paper, holds, none_of
from ..solution import Solution
from ..sweep import solve_columns, sweep
from . import nonlinear_search

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.axes import Axes
    from xarray import Dataset

PHASES = 961
"""Phases from 0 to 2π; 0.7π is one of them. Every sweep has about as many points, so that one program serves all."""
PERIODS, STEPS = 5, 240
"""Length of Fig. 3 in periods, and steps per period."""
ENGINE = {"left_temperature": 1.0, "right_temperature": 0.1, "period": 190.0}
PUMP = {"left_temperature": 0.5, "right_temperature": 0.499, "period": 225.0}

UNITS = {"phase": "rad", "left_temperature": "E/k_B", "right_temperature": "E/k_B", "period": "hbar/E"}
MEANINGS = {
    "phase": "phase difference φ of the fields",
    "left_temperature": "temperature T_L of the left bath",
    "right_temperature": "temperature T_R of the right bath",
    "period": "period τ of the fields",
}
CURVES = {"q_L": r"$\dot q_L$", "q_R": r"$\dot q_R$", "w": r"$\dot w$"}


# --------------------------------------------------------------------------- data


def build(phase: Any, left_temperature: Any, right_temperature: Any, period: Any) -> SpinPair:
    """The paper's pair of spins: J = 1, r = 0.5, h_0 = 0.25."""
    return SpinPair(phase=phase, period=period, left=HeatBath(left_temperature), right=HeatBath(right_temperature))


def curves(**parameters: Any) -> "Dataset":
    """A sweep of the pair over lists among the four parameters (the last one along the curves), with q_L, q_R and w."""
    lists = {name: np.atleast_1d(values) for name, values in parameters.items()}
    data = sweep(build, lists, progress=False)
    data = data.squeeze([name for name, values in lists.items() if values.size == 1])
    quantities = {
        "q_L": (data.heat.sel(bath="left"), "heat absorbed from the left bath, period average"),
        "q_R": (data.heat.sel(bath="right"), "heat absorbed from the right bath, period average"),
        "w": (data.work.sum("drive"), "work done on the spins, period average"),
    }
    for name, (values, meaning) in quantities.items():
        data[name] = values.drop_vars("bath", errors="ignore").assign_attrs(units="E**2/hbar", long_name=meaning)
    for name in UNITS:
        data[name] = data[name].assign_attrs(units=UNITS[name], long_name=MEANINGS[name])
    return data


def numbers() -> Iterator[Number]:
    def rows(what: str, printed: float | None, independent: float, digit: float, computed: Any) -> Iterator[Number]:
        """Beside the paper's own numerics within 0.5 %, and beside an independent calculation within its last digit."""
        if printed is not None:
            yield Number(what, printed, float(computed), 0.005 * abs(printed))
        yield Number(f"{what} (independent calculation)", independent, float(computed), digit / 2)

    undriven = steady_state(SpinPair(amplitude=0.0, left=HeatBath(0.5), right=HeatBath(0.499)))
    yield from rows("q_L without driving, T_R = 0.499", 1.41e-4, 1.41039e-4, 1e-9, undriven.heat["left"])
    yield from rows("q_R without driving, T_R = 0.499", -1.41e-4, -1.41039e-4, 1e-9, undriven.heat["right"])
    pump = steady_state(build(phase=2.2, **PUMP))
    yield from rows("q_R of the refrigerator, φ = 2.2", 3.674e-4, 3.6732e-4, 1e-8, pump.heat["right"])
    yield from rows("q_L of the refrigerator, φ = 2.2", -1.025e-3, -1.02434e-3, 1e-8, pump.heat["left"])
    engine = steady_state(build(phase=0.7 * math.pi, **ENGINE))
    yield from rows("efficiency of the engine, φ = 0.7π", 1.75e-2, 1.75603e-2, 1e-7, engine.efficiency)
    yield from rows("q_L of the engine, φ = 0.7π", None, 5.16937e-2, 1e-7, engine.heat["left"])
    yield from oscillator_numbers()


# --------------------------------------------------------------------------- figures 1 and 2: against the phase


def compute_1() -> "Dataset":
    return curves(
        right_temperature=[0.5, 0.499],
        left_temperature=0.5,
        period=225.0,
        phase=np.linspace(0, 2 * math.pi, (PHASES + 1) // 2),
    )


def check_1(data: "Dataset") -> Iterator[Number]:
    equal, colder = data.isel(right_temperature=0), data.isel(right_temperature=1)
    fixed = {name: float(equal[name]) for name in UNITS if name != "phase"}

    def imbalance(phase: np.ndarray) -> np.ndarray:
        other = curves(**fixed, phase=phase)
        return (other.q_L - other.q_R).values

    # At φ = 0 and 2π both baths are equal as well: these points are left out.
    inside = equal.isel(phase=slice(1, -1))
    found = crossings(imbalance, inside.phase.values, (inside.q_L - inside.q_R).values, PHASES)
    yield Number(
        "phase where both baths receive the same heat (π, from the symmetry of eqs. 1–3)",
        math.pi,
        only(found, 0, 1),
        1e-8,
    )
    swapped = float(abs(equal.q_L.values - equal.q_R.values[::-1]).max())
    scale = float(abs(equal.q_L).max())
    yield Number("largest q_L(φ) − q_R(−φ) at equal temperatures (baths swap)", 0.0, swapped, 2 * TOLERANCE * scale)
    yield holds(
        "at some phases q_L and q_R < 0 < w: the work is dissipated",
        ((equal.q_L < 0) & (equal.q_R < 0) & (equal.w > 0)).any(),
    )
    yield holds(
        "at some phases heat flows from left to right, q_L > 0 > q_R", ((equal.q_L > 0) & (equal.q_R < 0)).any()
    )
    yield holds("at other phases from right to left, q_R > 0 > q_L", ((equal.q_R > 0) & (equal.q_L < 0)).any())
    yield holds(
        "inset: at some phases heat leaves the colder bath, q_R > 0 > q_L", ((colder.q_R > 0) & (colder.q_L < 0)).any()
    )
    yield none_of("points with w < 0 at equal temperatures (second law)", equal.w < 0)


def compute_2() -> "Dataset":
    return curves(**ENGINE, phase=np.linspace(0, 2 * math.pi, PHASES))


def check_2(data: "Dataset") -> Iterator[Number]:
    chosen = data.sel(phase=0.7 * math.pi, method="nearest")
    efficiency = float(-chosen.w / chosen.q_L)
    yield Number("efficiency −w/q_L read off at φ = 0.7π", 1.75e-2, efficiency, 0.005 * 1.75e-2)
    yield Number("q_L read off at φ = 0.7π (independent calculation)", 5.16937e-2, float(chosen.q_L), 5e-8)
    engine = data.regime == regimes.code("engine")
    yield holds("at some phases w < 0: an engine", engine.any())
    yield none_of("points where heat does not flow from the hot to the cold bath", ~((data.q_L > 0) & (data.q_R < 0)))
    bound = 1 - data.right_temperature / data.left_temperature
    yield none_of("engine points above the Carnot efficiency", engine & ~(data.efficiency <= bound))


def _draw_rates(axes: "Axes", data: "Dataset", names: tuple[str, ...] = tuple(CURVES)) -> None:
    for k, name in enumerate(CURVES):
        if name in names:
            axes.plot(data.phase, data[name], label=CURVES[name], color=style.COLOURS[k], linestyle=style.DASHES[k])
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    axes.set_xlim(0, 2 * math.pi)
    axes.set_xticks(np.linspace(0, 2 * math.pi, 5), ["0", "π/2", "π", "3π/2", "2π"])


def draw_1(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.0, 4.4)
    axes = figure.subplots()
    equal, colder = data.isel(right_temperature=0), data.isel(right_temperature=1)
    _draw_rates(axes, equal)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 1.05 * (high - low), high)  # room for the inset
    axes.set_yticks([-2e-3, -1e-3, 0, 1e-3, 2e-3])
    axes.set(xlabel=r"phase difference  $\phi$", ylabel="energy per time")
    axes.yaxis.set_label_coords(-0.08, 0.74)
    axes.legend(loc="upper center", ncols=3)
    inset = axes.inset_axes((0.12, 0.08, 0.76, 0.38))
    _draw_rates(inset, colder)
    inset.text(0.5, 0.95, "$T_R = 0.499$", transform=inset.transAxes, ha="center", va="top", fontsize=9)
    inset.tick_params(labelsize=8)
    inset.yaxis.get_offset_text().set_fontsize(8)
    return figure


def draw_2(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.0, 4.4)
    axes = figure.subplots()
    _draw_rates(axes, data)
    axes.set(xlabel=r"phase difference  $\phi$", ylabel="energy per time")
    axes.legend(loc="center", bbox_to_anchor=(0.5, 0.7), ncols=3)
    inset = axes.inset_axes((0.3, 0.19, 0.4, 0.24))
    _draw_rates(inset, data, ("w",))
    inset.tick_params(labelsize=8)
    inset.yaxis.get_offset_text().set_fontsize(8)
    engine = data.phase.values[(data.regime == regimes.code("engine")).values]
    for panel in (axes, inset):
        panel.axvspan(engine.min(), engine.max(), color=style.TINTS["engine"], linewidth=0, zorder=-1)
    axes.text(
        engine.mean(), 0.97, "engine", transform=axes.get_xaxis_transform(), color=style.GREY, ha="center", va="top"
    )
    axes.margins(y=0.1)
    return figure


# --------------------------------------------------------------------------- figure 3: in time


def _in_time(name: str, machine: SpinPair) -> "Dataset":
    """Instantaneous rates from P(++) = 1, against time in periods."""
    import xarray as xr

    cycles = np.linspace(0, PERIODS, PERIODS * STEPS + 1)
    moved = evolve(machine, 0, cycles * float(machine.period))
    rates = {
        "Q_L": (moved.heat["left"], "heat absorbed from the left bath"),
        "Q_R": (moved.heat["right"], "heat absorbed from the right bath"),
        "W": (moved.work.array.sum(-1), "work done on the spins"),
        "storage": (moved.ledger.storage, "change of the spins' energy"),
    }
    data = xr.Dataset(
        {
            what: ("cycle", np.asarray(values), {"units": "E**2/hbar", "long_name": f"{meaning}, instantaneous rate"})
            for what, (values, meaning) in rates.items()
        },
        coords={"cycle": ("cycle", cycles, {"units": "1", "long_name": "time in periods, t/τ"}), "case": name},
    )
    for what, value in zip(
        UNITS, (machine.phase, machine.left.temperature, machine.right.temperature, machine.period), strict=True
    ):
        data[what] = ((), float(value), {"units": UNITS[what], "long_name": MEANINGS[what]})
    return data.set_coords(list(UNITS))


def compute_3() -> "Dataset":
    import xarray as xr

    cases = {"pump": PUMP, "engine": ENGINE}
    data = xr.concat(
        [_in_time(name, build(phase=2.2, **case)) for name, case in cases.items()],
        "case",
        coords="different",
        compat="equals",
    )
    conventions = "rates are positive into the system; k_B = hbar = e = 1; E is the unit of energy"
    return data.assign_attrs(machine="spin-pair", conventions=conventions, created_by="coldspot")


def check_3(data: "Dataset") -> Iterator[Number]:
    start = data.sel(case="pump").isel(cycle=0)
    for side, field in (("L", 0.25), ("R", 0.25 * math.cos(float(start.phase)))):
        t = float(start["left_temperature" if side == "L" else "right_temperature"])
        rate = 0.5 * (1 - math.tanh(1 / t)) * (1 - math.tanh(field / t)) * 2 * (1 + field)
        yield Number(f"pump: Q_{side} at t = 0 (from eq. 3)", rate, float(start[f"Q_{side}"]), 1e-14)
    last = data.isel(cycle=slice(-STEPS, None))
    means = last[["Q_L", "Q_R", "W"]].mean("cycle")
    pump, engine = means.sel(case="pump"), means.sel(case="engine")
    yield Number("pump: mean of Q_R over the last period", 3.674e-4, float(pump.Q_R), 0.005 * 3.674e-4)
    yield Number("pump: mean of Q_L over the last period", -1.025e-3, float(pump.Q_L), 0.005 * 1.025e-3)
    yield holds("engine: mean work over the last period is negative", engine.W < 0)
    before = data.isel(cycle=slice(-2 * STEPS, -STEPS))
    repeats = max(float(abs(last[name].values - before[name].values).max()) for name in ("Q_L", "Q_R", "W"))
    yield Number("largest change of a rate from one period to the next, at the end", 0.0, repeats, 10 * TOLERANCE)
    balance = data.Q_L + data.Q_R + data.W - data.storage
    yield Number("largest imbalance dU/dt − Q_L − Q_R − W", 0.0, float(abs(balance).max()), 1e-13)


def draw_3(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.4, 4.6)
    axes = figure.subplots()
    labels = {"Q_L": r"$\dot Q_L$", "Q_R": r"$\dot Q_R$", "W": r"$\dot W$"}
    inset = axes.inset_axes((0.14, 0.54, 0.83, 0.42))
    for case, panel in (("pump", axes), ("engine", inset)):
        for name, label in labels.items():
            panel.plot(data.cycle, data[name].sel(case=case), label=label, linewidth=1.3)
        panel.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
        panel.set_xlim(0, PERIODS)
    axes.set(xlabel=r"time  $t/\tau$", ylabel="energy per time", ylim=(-0.0065, 0.0155))
    axes.set_yticks([-0.004, -0.002, 0.0, 0.002, 0.004, 0.006])
    axes.yaxis.set_label_coords(-0.09, 0.29)
    axes.legend(loc="lower right", ncols=3)
    inset.set_ylim(-0.15, 0.19)
    inset.text(0.5, 0.95, "engine", transform=inset.transAxes, ha="center", va="top", fontsize=9)
    inset.tick_params(labelsize=8)
    return figure


# --------------------------------------------------------------------------- the second model: oscillators

PAIRS = 20_000
"""Pairs of oscillators with random parameters, for the statements that no pair pumps heat or delivers work."""


def build_oscillators(
    phase: Any,
    bath_temperature: Any = 1.0,
    spring: Any = 2.0,
    coupling: Any = 3.0,
    mass: Any = 1.0,
    friction: Any = 1.0,
    amplitude: Any = 1.0,
    frequency: Any = 2 * math.pi / 3,
    ratio: Any = 1.0,
) -> OscillatorPair:
    """The paper's pair of oscillators, by default that of Fig. 4; T_L is `bath_temperature`, and T_R/T_L is `ratio`."""
    return OscillatorPair(
        spring=spring,
        coupling=coupling,
        mass=mass,
        friction=friction,
        amplitude=amplitude,
        frequency=frequency,
        phase=phase,
        left=HeatBath(bath_temperature),
        right=HeatBath(bath_temperature * ratio),
    )


def oscillator_curves(phase: np.ndarray, temperatures: Any) -> "Dataset":
    """q_L, q_R and w of Fig. 4 against the phase, at several common temperatures of the baths."""
    data = sweep(build_oscillators, {"bath_temperature": temperatures, "phase": phase}, progress=False)
    quantities = {
        "q_L": (data.heat.sel(bath="left"), "heat absorbed from the left bath, period average"),
        "q_R": (data.heat.sel(bath="right"), "heat absorbed from the right bath, period average"),
        "w": (data.work.sum("drive"), "work done on the oscillators, period average"),
    }
    for name, (values, meaning) in quantities.items():
        data[name] = values.drop_vars("bath", errors="ignore").assign_attrs(units="E**2/hbar", long_name=meaning)
    data["phase"] = data.phase.assign_attrs(units="rad", long_name="phase difference φ of the forces")
    data["bath_temperature"] = data.bath_temperature.assign_attrs(
        units="E/k_B", long_name="temperature T of both baths"
    )
    return data


def equation_7(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """q_L, q_R and w of eq. 7 at the parameters of Fig. 4, where G = (Φ − Ω²M − iΩΓ)⁻¹ (the paper prints +iωΓ)."""
    omega = 2 * math.pi / 3
    z = 5 - omega**2 - 1j * omega
    a, b, d = z / (z**2 - 9), 3 / (z**2 - 9), 2 * omega**2 * 3 / abs(z**2 - 9) ** 2
    even, odd = a.imag + b.imag * np.cos(phase), d * np.sin(phase)
    return -omega / 2 * (even + odd), -omega / 2 * (even - odd), omega * even


def oscillator_numbers() -> Iterator[Number]:
    pair = steady_state(OscillatorPair(left=HeatBath(1.0), right=HeatBath(0.5)))
    case = "of the oscillators, φ = 0.3, T_L = 1, T_R = 0.5 (eq. 7)"
    for name, side, entry, value in (
        ("q_L", "left", pair.heat, -0.10109248),
        ("q_R", "right", pair.heat, -0.32989559),
        ("w_L", "left", pair.work, 0.28417458),
        ("w_R", "right", pair.work, 0.14681350),
    ):
        yield Number(f"{name} {case}", value, float(entry[side]), 5e-9)
    # Random pairs, at one temperature and between two.
    rng = np.random.default_rng(1)
    columns = {
        name: 10 ** rng.uniform(-2, 2, PAIRS) for name in ("spring", "coupling", "mass", "friction", "frequency")
    }
    columns |= {"amplitude": 10 ** rng.uniform(-1, 1, PAIRS), "phase": rng.uniform(0, 2 * math.pi, PAIRS)}
    columns["ratio"] = np.where(np.arange(PAIRS) < PAIRS // 2, 1.0, 10 ** rng.uniform(-3, 0, PAIRS))
    s: Solution = solve_columns(solve_points, _random_pair, None, columns, checked_tolerance(TOLERANCE), progress=False)
    heat, half = np.asarray(s.heat.array), PAIRS // 2
    yield none_of(f"of {PAIRS} random pairs of oscillators: without a trustworthy solution", ~np.asarray(s.ok))
    yield none_of("of those at equal temperatures: heat out of a bath", (heat[:half] > 0).any(axis=-1))
    yield none_of("of those between two temperatures: heat out of the colder bath", heat[half:, 1] > 0)
    yield none_of("of all of them: w < 0", np.asarray(s.work_in) < 0)


def _random_pair(_: None, point: Any) -> OscillatorPair:
    return build_oscillators(**point)


def compute_4() -> "Dataset":
    return oscillator_curves(np.linspace(0, 2 * math.pi, PHASES), [1.0]).squeeze("bath_temperature")


def check_4(data: "Dataset") -> Iterator[Number]:
    exact = equation_7(data.phase.values)
    off = max(float(abs(data[name].values - curve).max()) for name, curve in zip(CURVES, exact, strict=True))
    yield Number("largest difference of q_L, q_R or w from eq. 7", 0.0, off, 1e-14)
    yield none_of("points where a bath gives heat", (data.q_L >= 0) | (data.q_R >= 0))
    yield none_of("points with w ≤ 0", data.w <= 0)
    warm = oscillator_curves(data.phase.values[::24], [0.01, 100.0])
    change = max(float(abs(warm[name] - data[name].values[::24]).max()) for name in CURVES)
    yield Number("largest change of a curve with the temperature, T = 0.01 to 100", 0.0, change, 1e-14)
    swapped = float(abs(data.q_L.values - data.q_R.values[::-1]).max())
    yield Number("largest q_L(φ) − q_R(−φ) (baths swap)", 0.0, swapped, 1e-14)
    shares = data.q_L / (data.q_L + data.q_R)
    uneven = float(abs(shares.isel(phase=slice(1, -1)) - 0.5).where(abs(data.phase - math.pi) > 0.01).min())
    yield holds("the heat is shared unequally at every φ but 0 and π", uneven > 0)


def draw_4(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.0, 4.0)
    axes = figure.subplots()
    _draw_rates(axes, data)
    axes.set(xlabel=r"phase difference  $\phi$", ylabel="energy per time")
    axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 0.68))
    axes.margins(y=0.1)
    return figure


# --------------------------------------------------------------------------- the paper

PAPER = Paper(
    name="two-classical-pumps",
    title="Two simple models of classical heat pumps",
    authors="Rahul Marathe, A. M. Jayannavar and Abhishek Dhar",
    summary=(
        "Two coupled Ising spins, each in contact with its own heat bath and in its own periodic field, exchange heat "
        "with the baths as the phase difference φ of the fields dictates: heat can be moved either way between equal "
        "temperatures, out of the colder bath (a refrigerator), or be turned into work (an engine). H = −Jσ_1σ_2 − "
        "h_L(t)σ_1 − h_R(t)σ_2 with h_L = h_0 cos(2πt/τ), h_R = h_0 cos(2πt/τ + φ), J = 1, r = 0.5 and h_0 = 0.25. "
        "The second model, two coupled oscillators with a bath and a periodic force each (Fig. 4), does neither: the "
        "forces heat both baths, whatever the parameters. In print, G of eq. 6 has +iωΓ where its e^{−iωt} asks for "
        "−iωΓ (as A and B below it have), and f̃ lacks the factor f_0; eq. 7 is right."
    ),
    check=numbers,
    figures=(
        Figure(
            "1",
            "Heat pumped between baths at one temperature",
            "Period averages of the heats absorbed from the baths and of the work against the phase difference φ of "
            "the fields; inset: the right bath slightly colder. All parameters are printed: T_L = T_R = 0.5 (inset: "
            "T_R = 0.499), h_0 = 0.25, τ = 225.",
            "The two heats are mirror images about φ = π; each is positive over some range of phases. The work is "
            "positive.",
            compute_1,
            draw_1,
            check_1,
        ),
        Figure(
            "2",
            "Engine",
            "Period averages of the heats absorbed from the baths and of the work against the phase difference φ of "
            "the fields. All parameters are printed: T_L = 1, T_R = 0.1, h_0 = 0.25, τ = 190. Chosen here: an inset "
            "that enlarges the work, and the shaded phases at which it is negative.",
            "Heat flows from the hot left to the cold right bath at every phase; the work is slightly negative near φ "
            "= 0.7π.",
            compute_2,
            draw_2,
            check_2,
        ),
        Figure(
            "3",
            "Rates in time",
            "Instantaneous rates from the start P(++) = 1: the refrigerator (T_L = 0.5, T_R = 0.499, τ = 225, φ = "
            "2.2), inset the engine (T_L = 1, T_R = 0.1, τ = 190, φ = 2.2). All parameters are printed. Chosen here: "
            "five periods, time in units of τ, and a frame that leaves out the rates of the first moments (at t = 0 "
            "those of the refrigerator are 0.024 and 0.039).",
            "After a transient within the first period all rates repeat with the period of the fields.",
            compute_3,
            draw_3,
            check_3,
        ),
        Figure(
            "4",
            "Two oscillators: neither pump nor engine",
            "Period averages of the heats absorbed from the baths and of the work against the phase difference φ of "
            "the forces on two coupled oscillators, m ẍ_i = −(k + k_c) x_i + k_c x_j − γ ẋ_i + η_i + f_i with f_L = "
            "f_0 cos Ωt, f_R = f_0 cos(Ωt + φ). All parameters are printed: k = 2, k_c = 3, m = γ = f_0 = 1, Ω = 2π/3; "
            "the curves are the same at every common temperature.",
            "Both heats are negative and the work is positive at every phase; the heats are mirror images about φ = "
            "π, and one bath receives more than the other.",
            compute_4,
            draw_4,
            check_4,
        ),
        nonlinear_search.FIGURE,
    ),
)
