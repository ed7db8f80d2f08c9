"""Cooling by a particle that is driven over Kramers' barrier: effective temperature, energy exchange, COP.

The text at hand lacks most displayed equations; they are taken as derived from Kramers' solution, and every quoted
number is compared with a quadrature of that solution over the velocity. Friction is γ/ω (ω = m = T = k_B = 1), and
energy that the particle absorbs counts positive, as in the paper.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import regimes, style
from ..dynamics import steady_state
from ..machines import KramersBarrier
from ..phase_space.barrier import Barrier
from ..reproduction.crossings import crossings, only
from ..reproduction.paper import Figure, Number, Paper, holds, none_of
from ..sweep import sweep
from . import real_cooler

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.axes import Axes
    from xarray import Dataset

POINTS = 601
FRICTIONS = (0.1, 0.5, 1.0, 2.0, 5.0)
POPULATIONS = (0.55, 0.65, 0.75, 0.9, 1.0)
HEIGHT = 10.0
"""E_B/T, which the paper does not print."""
EXACT = 1e-12
"""Tolerance of values that follow from the paper's equations."""

UNITS = {"position": "1", "friction": "1", "population": "1", "barrier": "E"}
MEANINGS = {
    "position": "dimensionless position ξ = ωx(m/2T)^(1/2)",
    "friction": "friction γ/ω",
    "population": "driving parameter λ (share of the left well)",
    "barrier": "height E_B of the barrier",
}
AXES = {
    "position": r"position  $\xi=\omega_B x\,(m/2k_BT)^{1/2}$",
    "temperature_ratio": r"$T_{\mathrm{eff}}\,/\,T$",
    "exchange": r"energy absorbed per particle  $/\,\omega_B k_BT$",
    "population": r"driving parameter  $\lambda$",
    "cop": r"coefficient of performance  $\eta$",
}


# --------------------------------------------------------------------------- data


def barrier(friction: Any = 1.0, population: Any = 1.0, height: Any = HEIGHT) -> Barrier:
    """The barrier in units of ω, m and T."""
    return Barrier(friction=friction, frequency=1.0, mass=1.0, temperature=1.0, population=population, height=height)


@jax.jit
def _profiles(friction: Any, population: Any, position: Any) -> tuple[Any, Any]:
    """T_eff/T and e/(nωT) for arrays of parameters and ξ of one shape."""

    def one(friction: Any, population: Any, position: Any) -> tuple[Any, Any]:
        b = barrier(friction, population)
        x = b.position(position)
        return b.effective_temperature(x), b.energy_per_particle(x)

    return jax.vmap(one)(friction, population, position)


@jax.jit
def _slopes(friction: Any, population: Any, position: Any) -> Any:
    """d(e/n)/dξ for arrays of parameters and ξ of one shape."""

    def one(friction: Any, population: Any, position: Any) -> Any:
        b = barrier(friction, population)
        return b.energy_per_particle(b.position(position))

    return jax.vmap(jax.grad(one, 2))(friction, population, position)


def profiles(**parameters: Any) -> "Dataset":
    """T_eff/T and e/(nωT) over lists of `friction`, `population` and `position` (ξ)."""
    import xarray as xr

    lists = {name: np.atleast_1d(np.asarray(values, dtype=float)) for name, values in parameters.items()}
    mesh = np.meshgrid(*lists.values(), indexing="ij")
    columns = {name: jnp.asarray(m.ravel()) for name, m in zip(lists, mesh, strict=True)}
    temperature, exchange = _profiles(columns["friction"], columns["population"], columns["position"])
    data = xr.Dataset(
        {
            "temperature_ratio": (tuple(lists), np.asarray(temperature).reshape(mesh[0].shape)),
            "exchange": (tuple(lists), np.asarray(exchange).reshape(mesh[0].shape)),
        },
        coords=lists,
    )
    data["temperature_ratio"].attrs.update(units="1", long_name="effective temperature over T")
    data["exchange"].attrs.update(units="1", long_name="energy absorbed per particle and time over ωT")
    return _labelled(data.squeeze([name for name, values in lists.items() if values.size == 1]))


def _labelled(data: "Dataset") -> "Dataset":
    for name, units in UNITS.items():
        if name in data.coords:
            data[name] = data[name].assign_attrs(units=units, long_name=MEANINGS[name])
    return data


# --------------------------------------------------------------------------- what the paper's equations give


def moments(friction: float, population: float, position: float) -> dict[str, float]:
    """⟨v²⟩/T, the flux and the energy absorbed, per particle, by quadrature of eqs. 4–8 over the velocity."""
    x = math.sqrt(2) * position
    a = friction / 2 + math.sqrt(friction**2 / 4 + 1)
    c = (a - friction) / (2 * friction)
    # Panels around the step of the error function and around the Gaussian.
    borders = np.unique(np.concatenate([np.linspace(-12, 12, 49), a * x + np.linspace(-8, 8, 33) / math.sqrt(2 * c)]))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    width = np.diff(borders)[:, None] / 2
    v = (borders[:-1, None] + width * (nodes + 1)).ravel()
    weight = (width * weights).ravel()
    forward = np.array([math.erfc(-math.sqrt(c) * (u - a * x)) / 2 for u in v])
    density = weight * np.exp(-(v**2) / 2) * (population * forward + (1 - population) * (1 - forward))
    total = density.sum()
    square = (density * v**2).sum() / total
    return {
        "temperature": square,
        "flux": (density * v).sum() / total,
        "exchange": friction * (1 - square),
    }


def coldest(population: float = 1.0) -> float:
    """ξ of the lowest effective temperature by bisection of eq. 9's derivative, for λ > ½."""

    def slope(y: float) -> float:
        w = math.exp(y * y) * (population * math.erfc(-y) + (1 - population) * math.erfc(y))
        return (1 - 2 * y * y) * w - 2 / math.sqrt(math.pi) * (2 * population - 1) * y

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return -low


def cop(friction: float, population: float, height: float) -> float:
    """Eq. 22."""
    a = friction / 2 + math.sqrt(friction**2 / 4 + 1)
    return friction * (a - friction) * height / math.log(population / (1 - population))


def numbers() -> Iterator[Number]:
    for friction, independent in ((1.0, 0.8901465863), (0.1, 0.7397579539)):
        found = float(barrier(friction).effective_temperature(-1.0))
        quadrature = moments(friction, 1.0, -1 / math.sqrt(2))["temperature"]
        where = f"at x = −(T/mω²)^½, λ = 1, γ/ω = {friction:g}"
        yield Number(f"T_eff/T {where} (independent calculation)", independent, found, 5e-11)
        yield Number(f"T_eff/T {where} (quadrature of eqs. 4–8)", quadrature, found, EXACT)
    for friction, lowest in ((0.1, 0.733489), (1.0, 0.887500)):
        b = barrier(friction)
        value = float(b.effective_temperature(b.coldest_position()))
        yield Number(f"lowest T_eff/T, λ = 1, γ/ω = {friction:g} (independent calculation)", lowest, value, 5e-7)
    pump = steady_state(KramersBarrier(friction=1.0, population=0.75, barrier=10.0))
    yield Number("COP at γ/ω = 1, E_B/T = 10, λ = ¾ (independent calculation)", 5.625587799, float(pump.cop), 5e-10)
    b = barrier(1.0, 0.75)
    flux = moments(1.0, 0.75, -0.4)["flux"] * math.exp(float(b.log_density(b.position(-0.4))))
    yield Number(
        "flux J over that of eq. 21 (quadrature of eqs. 4–8)", 1.0, flux / float(pump.particles["left"]), EXACT
    )
    high = steady_state(KramersBarrier(friction=1.0, population=0.75, barrier=20.0))
    yield Number("COP at twice the E_B over COP (linear, eq. 22)", 2.0, float(high.cop / pump.cop), EXACT)
    work = float(pump.work_in / pump.particles["left"])
    yield Number("work per particle over T at λ = ¾ (ln 3, from eqs. 18 and 20)", math.log(3), work, EXACT)
    e = [float(b.energy_exchange(x)) for x in (-2.0, -1.0, 1.0)]
    yield Number("energy exchange at 2x over that at x (linear, eq. 14)", 2.0, e[0] / e[1], EXACT)
    yield Number("energy exchange at −x over that at x (odd, eq. 14)", -1.0, e[1] / e[2], EXACT)


# --------------------------------------------------------------------------- figure 1: effective temperature


def _each(data: "Dataset", name: str) -> Iterator[tuple[float, "Dataset"]]:
    for value in data[name].values:
        yield float(value), data.sel({name: value})


def _extremum(friction: float, population: float) -> float:
    """ξ where the computed energy per particle is largest, from its derivative uphill."""
    uphill = np.linspace(-2.0, -0.01, POINTS)

    def slope(position: np.ndarray) -> np.ndarray:
        return np.asarray(_slopes(np.full(position.size, friction), np.full(position.size, population), position))

    return only(crossings(slope, uphill, slope(uphill), uphill.size), 0, 1)


def compute_1() -> "Dataset":
    return profiles(friction=FRICTIONS, population=1.0, position=np.linspace(-4, 1.5, POINTS))


def check_1(data: "Dataset") -> Iterator[Number]:
    ratio = data.temperature_ratio
    yield none_of("points uphill (ξ < 0) where T_eff is not below T", ~(ratio.where(data.position < 0, 0.0) < 1))
    yield none_of("points downhill (ξ > 0) where T_eff is not above T", ~(ratio.where(data.position > 0, 2.0) > 1))
    away = abs(ratio - 1).where(data.position != 0, drop=True)
    yield none_of("points where the deviation from T does not shrink with friction", ~(away.diff("friction") < 0))
    source = float(abs(ratio.sel(position=-4.0) - 1).max())
    yield Number("largest deviation |T_eff/T − 1| at ξ = −4 (vanishes in the source)", 0.0, source, 1e-6)
    for friction, curve in _each(data, "friction"):
        yield Number(
            f"ξ of the lowest T_eff, γ/ω = {friction:g} (from eqs. 4–9)",
            coldest(),
            _extremum(friction, 1.0),
            1e-9,
        )
        k = int(np.argmin(abs(curve.position.values + 0.7)))
        expected = moments(friction, 1.0, float(curve.position[k]))["temperature"]
        yield Number(
            f"T_eff/T read off near ξ = −0.7, γ/ω = {friction:g} (quadrature of eqs. 4–8)",
            expected,
            float(curve.temperature_ratio[k]),
            EXACT,
        )


def _family(axes: "Axes", data: "Dataset", name: str, over: str, symbol: str, legend: bool = True) -> None:
    for value, curve in _each(data, over):
        axes.plot(curve.position, curve[name], label=f"${symbol} = {value:g}$")
    axes.set(xlabel=AXES["position"], ylabel=AXES[name], xlim=(data.position[0], data.position[-1]))
    if legend:
        axes.legend()


def draw_1(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "temperature_ratio", "friction", r"\gamma/\omega_B", legend=False)
    axes.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=":", zorder=0)
    axes.set(xlim=(-4, 0.6), ylim=(0.7, 1.32))
    for low, high, tint, name in ((-4, 0.0, "engine", "cold section"), (0.0, 0.6, "refrigerator", "hot section")):
        axes.axvspan(low, high, color=style.TINTS[tint], linewidth=0, zorder=-1)
        where: dict[str, Any] = {"x": (low + high) / 2, "y": 1.02, "transform": axes.get_xaxis_transform()}
        axes.text(s=name, ha="center", va="bottom", size=8.5, color=style.GREY, **where)
    axes.legend(loc="lower left")
    inset = axes.inset_axes((0.08, 0.63, 0.42, 0.33))
    _family(inset, data, "temperature_ratio", "friction", "", legend=False)
    inset.set(xlim=(-2, 1.5), ylim=(0, None), xlabel="", ylabel="")
    inset.axhline(1.0, color=style.GREY, linewidth=0.9, linestyle=":", zorder=0)
    inset.tick_params(labelsize=8)
    return figure


# --------------------------------------------------------------------------- figures 2 and 3: energy per particle


def compute_2() -> "Dataset":
    return profiles(friction=FRICTIONS, population=1.0, position=np.linspace(-3, 0, POINTS))


def compute_3() -> "Dataset":
    return profiles(population=POPULATIONS, friction=0.1, position=np.linspace(-3, 0, POINTS))


def _check_exchange(data: "Dataset") -> Iterator[Number]:
    uphill = data.exchange.where(data.position < 0, drop=True)
    yield none_of("points of the cold section where no energy is absorbed", ~(uphill > 0))
    yield Number(
        "largest energy exchange at the top, ξ = 0", 0.0, float(abs(data.exchange.sel(position=0.0)).max()), 0.0
    )
    (over,) = (name for name in ("friction", "population") if data[name].ndim)
    for value, curve in _each(data, over):
        friction, population = float(curve.friction), float(curve.population)
        what = f"{'γ/ω' if over == 'friction' else 'λ'} = {value:g}"
        yield Number(
            f"ξ of the maximum, {what} (from eqs. 4–9)",
            coldest(population),
            _extremum(friction, population),
            1e-9,
        )
        k = int(np.argmin(abs(curve.position.values + 0.7)))
        expected = moments(friction, population, float(curve.position[k]))["exchange"]
        yield Number(
            f"energy per particle over ωT read off near ξ = −0.7, {what} (quadrature of eqs. 4–8)",
            expected,
            float(curve.exchange[k]),
            EXACT,
        )


def check_2(data: "Dataset") -> Iterator[Number]:
    yield from _check_exchange(data)
    # γ(ω/a)² is largest at γ = 2ω/√3.
    fine = profiles(friction=np.linspace(0.8, 1.6, 8001), population=1.0, position=-0.6)
    best = float(fine.friction[int(np.argmax(fine.exchange.values))])
    yield Number(
        "friction γ/ω that absorbs most per particle (2/√3, from eqs. 14 and 15)", 2 / math.sqrt(3), best, 1e-4
    )


def check_3(data: "Dataset") -> Iterator[Number]:
    yield from _check_exchange(data)
    inside = data.exchange.where(data.position < 0, drop=True)
    yield none_of("points where the energy exchange does not grow with λ", ~(inside.diff("population") > 0))
    still = profiles(population=0.5, friction=0.1, position=np.linspace(-4, 0, POINTS))
    yield Number("largest energy exchange at λ = ½ (equilibrium)", 0.0, float(abs(still.exchange).max()), 0.0)


def draw_2(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "exchange", "friction", r"\gamma/\omega_B")
    axes.set_ylim(0, None)
    return figure


def draw_3(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    _family(axes, data, "exchange", "population", r"\lambda")
    axes.set_ylim(0, None)
    return figure


# --------------------------------------------------------------------------- figure 4: the heat pump, schematically


def compute_4() -> "Dataset":
    """The potential, and the energy absorbed per length, between the two ends of the barrier."""
    import xarray as xr

    b = barrier(1.0, 0.75)
    edge = float(b.edge)
    x = np.linspace(-edge, edge, POINTS)
    data = xr.Dataset(
        {
            "potential": ("x", -0.5 * x**2, {"units": "E", "long_name": "potential V(x) − V(0)"}),
            "absorbed": (
                "x",
                np.asarray(b.energy_exchange(x)),
                {"units": "E*omega*omega/E**0.5", "long_name": "energy absorbed per length and time"},
            ),
        },
        coords={"x": ("x", x, {"units": "(E/m)^(1/2)/omega", "long_name": "position"})},
    )
    data.attrs.update(population=0.75, friction=1.0, height=HEIGHT)
    return data


def check_4(data: "Dataset") -> Iterator[Number]:
    x, depth = data.x.values, float(data.attrs["height"])
    solution = steady_state(KramersBarrier(friction=1.0, population=0.75, barrier=depth))
    yield Number(
        "x_R where the barrier is E_B below its top ((2E_B/mω²)^½, eq. 17)", math.sqrt(2 * depth), x[-1], EXACT
    )
    yield Number("V(x_L) over E_B (eq. 17)", -1.0, float(data.potential[0]) / depth, EXACT)
    cold = float(data.absorbed.where(data.x <= 0, 0.0).integrate("x"))
    hot = float(data.absorbed.where(data.x >= 0, 0.0).integrate("x"))
    heat = float(solution.heat["cold"])
    yield Number("heat from x_L < x < 0, integrated, over that of the solution (eq. 19)", 1.0, cold / heat, EXACT)
    yield Number("heat from 0 < x < x_R, integrated, over that from x_L < x < 0", -1.0, hot / cold, EXACT)
    yield holds("the machine is a heat pump at one temperature", solution.regime == "heat pump")


def draw_4(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.4, 3.9)
    axes = figure.subplots()
    x, v = data.x.values, data.potential.values
    edge, depth = x[-1], float(data.attrs["height"])
    reach = 1.75 * edge
    # Beyond ±x_B each side is in its own equilibrium: a well, drawn flat.
    axes.plot(x, v, color=style.BLACK, linestyle="-")
    for side in (-1, 1):
        well = np.linspace(0, 1, 60)
        axes.plot(
            side * (edge + (reach - edge) * well),
            -depth * (1 + 0.16 * np.sin(np.pi * well)),
            color=style.BLACK,
            linestyle="-",
        )
    axes.axvspan(-edge, 0, color=style.TINTS["engine"], linewidth=0, zorder=-1)
    axes.axvspan(0, edge, color=style.TINTS["refrigerator"], linewidth=0, zorder=-1)
    top, floor = 0.34 * depth, -1.55 * depth
    axes.text(-edge / 2, 0.3 * depth, "cold section", ha="center", va="top", color=style.BLUE)
    axes.text(edge / 2, 0.3 * depth, "hot section", ha="center", va="top", color=style.ORANGE)
    _arrow(axes, (-0.62 * edge, -1.42 * depth), (-0.62 * edge, -0.62 * depth), style.BLUE)
    axes.text(-0.57 * edge, -1.18 * depth, "$Q$", color=style.BLUE, va="center")
    _arrow(axes, (0.62 * edge, -0.62 * depth), (0.62 * edge, -1.42 * depth), style.ORANGE)
    axes.text(0.5 * edge, -1.18 * depth, "$Q$", color=style.ORANGE, va="center")
    # The height, measured at the top.
    _arrow(axes, (0, -depth), (0, -0.02 * depth), style.GREY, "<->")
    axes.text(0.04 * edge, -0.62 * depth, "$E_B$", color=style.GREY, va="center")
    axes.plot([-edge, edge], [-depth, -depth], color=style.GREY, linewidth=0.8, linestyle=":")
    # The two populations.
    for side, level, name in ((-1, -0.66, "L"), (1, -0.86, "R")):
        near, far = sorted((side * 1.1 * edge, side * 1.68 * edge))
        axes.plot([near, far], [level * depth] * 2, color=style.GREEN, linestyle="-", linewidth=2.2)
        axes.text(
            (near + far) / 2, (level + 0.05) * depth, rf"$\mu_{name}$", ha="center", va="bottom", color=style.GREEN
        )
    axes.text(-1.39 * edge, -1.3 * depth, r"population $2\lambda$", ha="center", va="center", fontsize=9)
    axes.text(1.39 * edge, -1.3 * depth, r"population $2(1-\lambda)$", ha="center", va="center", fontsize=9)
    axes.annotate(
        "",
        xy=(0.52 * edge, 0.02 * depth),
        xytext=(-0.52 * edge, 0.02 * depth),
        arrowprops={"arrowstyle": "->", "color": style.GREEN, "linewidth": 1.6, "connectionstyle": "arc3,rad=-0.22"},
    )
    axes.text(0.56 * edge, 0.03 * depth, "$J$", color=style.GREEN, ha="left", va="center")
    axes.set(xlim=(-reach, reach), ylim=(floor, top), xticks=[-edge, 0, edge], yticks=[])
    axes.set_xticklabels(["$x_L$", "$0$", "$x_R$"])
    axes.tick_params(top=False, right=False, length=0)
    axes.set_xlabel("position  $x$")
    axes.set_ylabel("potential  $V(x)$")
    return figure


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float], colour: str, head: str = "->") -> None:
    properties = {"arrowstyle": head, "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=properties)


# --------------------------------------------------------------------------- figure 5: coefficient of performance


def compute_5() -> "Dataset":
    # More points near 1, where the COP falls to zero as 1/|ln(1−λ)|.
    population = np.concatenate([np.linspace(0.5, 1.0, 481)[1:-1], 1 - np.logspace(-3, -15, 25)])
    frictions = [0.1, 0.5, 1.0, 2.0, 4.0, 1000.0]
    data = sweep(KramersBarrier(barrier=HEIGHT), {"friction": frictions, "population": population}, progress=False)
    data["cop"].attrs.update(units="1", long_name="coefficient of performance")
    return _labelled(data)


def check_5(data: "Dataset") -> Iterator[Number]:
    expected = np.array([[cop(g, p, HEIGHT) for p in data.population.values] for g in data.friction.values if g < 100])
    found = data.cop.where(data.friction < 100, drop=True).values
    yield Number("largest |COP/COP of eq. 22 − 1|, γ/ω ≤ 4", 0.0, float(np.max(abs(found / expected - 1))), 1e-11)
    yield none_of("points that are no heat pump", data.regime != regimes.code("heat pump"))
    yield none_of("points where the COP does not rise with friction", ~(data.cop.diff("friction") > 0))
    yield none_of("points where the COP does not fall with λ", ~(data.cop.diff("population") < 0))
    last = data.cop.isel(friction=-1) * np.log(data.population / (1 - data.population)) / HEIGHT
    yield Number("COP·ln(λ/(1−λ))·T/E_B at γ/ω = 1000 (1 as γ → ∞)", 1.0, float(last.mean()), 2e-6)
    edges = sweep(KramersBarrier(friction=1.0), {"population": [0.5 + 1e-10, 1 - 1e-15]}, progress=False)
    yield holds("the COP diverges as λ → ½ (above 10⁸ at ½ + 10⁻¹⁰)", edges.cop[0] > 1e8)
    yield Number(
        "COP at 1 − λ = 10⁻¹⁵ (to 0, from eq. 22)",
        cop(1.0, 1 - 1e-15, 10.0),
        float(edges.cop[1]),
        1e-12,
    )


def draw_5(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure()
    axes = figure.subplots()
    for friction, curve in _each(data, "friction"):
        axes.plot(curve.population, curve.cop, label=rf"$\gamma/\omega_B = {friction:g}$")
    axes.set(xlabel=AXES["population"], ylabel=AXES["cop"], xlim=(0.5, 1), ylim=(0, 25))
    axes.legend(loc="upper right")
    return figure


# --------------------------------------------------------------------------- the paper


PAPER = Paper(
    name="kramers-cooling",
    title="Local cooling in the Kramers barrier crossing problem",
    authors="(the text at hand names neither title nor authors; the title here is a description)",
    summary=(
        "A particle that is driven over a parabolic barrier climbs against the force and takes the energy from its "
        "surroundings: uphill it is colder than they are, and absorbs heat, which it returns downhill. As a heat pump "
        "between the two sides it has a coefficient of performance that falls with the driving and rises with the "
        "friction. λ is the share of the left well: ½ is equilibrium, 1 an empty right well. The cut at x_L,R = "
        "∓(2E_B/mω²)^½ and the division into a cold and a hot bath are the paper's, which calls them heuristic."
    ),
    check=numbers,
    beyond=real_cooler.FIGURES,
    figures=(
        Figure(
            "1",
            "Effective temperature",
            "T_eff/T against the dimensionless position for several frictions; dotted: T_eff = T; inset: further "
            "downhill. Printed: λ = 1. Chosen here: γ/ω_B = 0.1, 0.5, 1, 2, 5 and the range. (The paper's list is not "
            "printed, and in the text at hand its ratio of γ and ω_B is damaged: it may be γ/2ω_B.)",
            "All curves start at 1 on the left, dip below 1 to a minimum at ξ = −0.59, cross 1 at the top and rise; "
            "small friction dips deepest.",
            compute_1,
            draw_1,
            check_1,
        ),
        Figure(
            "2",
            "Energy absorbed per particle, several frictions",
            "Energy that a particle absorbs from its surroundings per time, in units of ω_B T, against the position "
            "uphill. Printed: λ = 1. Chosen here: the frictions, the range and the scale, which are not printed. Of "
            "all frictions γ/ω_B = 2/√3 absorbs most.",
            "Every curve is positive, zero at the top and far to the left, with a maximum at ξ = −0.59.",
            compute_2,
            draw_2,
            check_2,
        ),
        Figure(
            "3",
            "Energy absorbed per particle, several driving parameters",
            "As Fig. 2 for several λ. Printed: friction 0.1, here γ/ω_B (if γ/2ω_B is meant, all curves are multiplied "
            "by 1.81). Chosen here: λ = 0.55, 0.65, 0.75, 0.9, 1, the range and the scale.",
            "The curves grow with λ; the maximum moves from ξ = −0.69 to −0.59.",
            compute_3,
            draw_3,
            check_3,
        ),
        Figure(
            "4",
            "The heat pump, schematically",
            "Barrier of height E_B between two wells that are in equilibrium beyond x_L and x_R, with chemical "
            "potentials μ_L > μ_R. The particles take up the heat Q uphill and give it back downhill. The parabola is "
            "to scale; the wells are sketched.",
            "A barrier between two wells; an arrow Q points up into the left, cold section, another down out of the "
            "right, hot one.",
            compute_4,
            draw_4,
            check_4,
        ),
        Figure(
            "5",
            "Coefficient of performance",
            "COP against the driving parameter for several frictions. Printed: 0.5 < λ < 1. Chosen here: E_B/T = 10 "
            "(the COP is proportional to it) and γ/ω_B = 0.1, 0.5, 1, 2, 4, 1000; the last is the limit "
            "of large friction.",
            "All curves fall from infinity at λ = 0.5 to zero at 1; larger friction lies higher.",
            compute_5,
            draw_5,
            check_5,
        ),
    ),
)
