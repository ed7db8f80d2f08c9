"""Marathe, Jayannavar and Dhar, end of the paper: do anharmonic springs make a pump or an engine of two oscillators?

The paper states, without numbers, that simulations over a large range of parameters found neither. Here: random
points of a stated range, simulated with standard errors in one sweep. m = 1 and T_R = 1 set the units.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import style
from ..baths import HeatBath
from ..dynamics import TOLERANCE, built, conclude, solve_points
from ..machines import NonlinearOscillatorPair
from ..oscillators.ensemble import TRAJECTORIES, steady
from ..oscillators.network import OscillatorNetwork
from ..pytrees import compiled
from ..reproduction.paper import Figure, Number, holds, none_of
from ..solution import Solution, Status
from ..sweep import solve_columns
from ..trajectories import trajectories

if TYPE_CHECKING:
    import matplotlib.figure
    from xarray import Dataset

POINTS = 256
RANGE = {
    "spring": (0.2, 5.0, "spring k"),
    "coupling": (0.2, 5.0, "coupling k_c"),
    "anharmonicity": (0.03, 30.0, "anharmonicity α"),
    "friction": (0.1, 3.0, "friction γ"),
    "amplitude": (0.1, 10.0, "amplitude f_0 of the forces"),
    "frequency": (0.2, 6.0, "frequency Ω of the forces"),
}
"""Ranges of the parameters, uniform in the logarithm; the phase is uniform from 0 to 2π."""
WARMER = (0.01, 2.0)
"""Range of T_L − T_R at every other point, uniform in the logarithm; at the others the temperatures are equal."""
LONGER = {"time": 300.0, "transient": 1000.0}
"""For points whose averages drift."""
CERTAIN = 4.0
"""Standard errors beyond which a rate has a sign."""
FEW, CLEAR = 128, 7.0
"""Trajectories of a first look, those that come first of all, and the standard errors from which on that suffices."""


def points() -> dict[str, np.ndarray]:
    """The random points, always the same."""
    draw = np.random.RandomState(2007).uniform
    columns = {name: np.exp(draw(np.log(low), np.log(high), POINTS)) for name, (low, high, _) in RANGE.items()}
    columns["phase"] = draw(0, 2 * np.pi, POINTS)
    warmer = np.exp(draw(np.log(WARMER[0]), np.log(WARMER[1]), POINTS))
    columns["left_temperature"] = 1 + np.where(np.arange(POINTS) % 2, warmer, 0.0)
    return columns


def build(shared: None, point: dict[str, Any]) -> NonlinearOscillatorPair:
    own = {name: value for name, value in point.items() if name != "left_temperature"}
    return NonlinearOscillatorPair(left=HeatBath(point["left_temperature"]), right=HeatBath(1.0), **own)


@compiled
def look(build: Callable[..., Any], shared: Any, columns: Any, tolerance: jax.Array) -> Solution:
    """Steady states of few trajectories, with a leading axis of points."""
    dynamics, good = built(build, shared, columns)
    assert isinstance(dynamics, OscillatorNetwork)
    return conclude(dynamics, steady(dynamics.system(), FEW), tolerance, good)


def compute() -> "Dataset":
    import xarray as xr

    columns, tolerance = points(), jnp.asarray(TOLERANCE)
    found: Solution = solve_columns(look, build, None, columns, tolerance, progress=False, sizes=(32,))
    heat, heat_error = np.array(found.heat.array), np.array(found.error.heat.array)
    work, work_error = np.array(found.work_in), np.array(found.error.work_in)
    status, trajectories_of = np.array(found.status), np.full(POINTS, FEW)
    # Heat that surely enters both baths, at one temperature, or the colder one, and work that surely is done.
    clear = (status == Status.OK) & (work > CLEAR * work_error) & (heat[:, 1] < -CLEAR * heat_error[:, 1])
    equal = columns["left_temperature"] == 1
    clear &= ~equal | (heat[:, 0] < -CLEAR * heat_error[:, 0])
    left = np.flatnonzero(~clear)
    some = {name: values[left] for name, values in columns.items()}
    found = solve_columns(solve_points, build, None, some, tolerance, progress=False, sizes=(16,))
    heat[left], heat_error[left] = found.heat.array, found.error.heat.array
    work[left], work_error[left] = found.work_in, found.error.work_in
    status[left], trajectories_of[left] = found.status, TRAJECTORIES
    # Near resonance a strong force can sustain two motions, between which noise rarely switches: these take longer.
    for k in np.flatnonzero(status):
        machine = build(None, {name: values[k] for name, values in columns.items()})
        longer = trajectories(machine, jax.random.key(k), n=TRAJECTORIES, throw=False, progress=False, **LONGER)
        heat[k], heat_error[k] = longer.heat.array, longer.error.heat.array
        work[k], work_error[k] = longer.solution.work_in, longer.error.work_in
        status[k] = longer.status
    # The bath that a pump would cool: the colder one; at one temperature the one that gives more.
    cooled = np.where(equal, np.argmax(heat / heat_error, axis=-1), 1)[:, None]
    rates = {
        "cooling": (np.take_along_axis(heat, cooled, -1)[:, 0], "heat from the bath that a pump would cool"),
        "cooling_error": (np.take_along_axis(heat_error, cooled, -1)[:, 0], "its standard error"),
        "work": (work, "work done on the oscillators"),
        "work_error": (work_error, "bound of its standard error"),
    }
    meanings = {name: meaning for name, (_, _, meaning) in RANGE.items()}
    meanings |= {"phase": "phase difference φ of the forces", "left_temperature": "temperature T_L of the left bath"}
    variables: dict[str, Any] = {
        name: ("point", values, {"units": "T_R/time", "long_name": meaning})
        for name, (values, meaning) in rates.items()
    }
    variables |= {name: ("point", values, {"long_name": meanings[name]}) for name, values in columns.items()}
    variables["trajectories"] = ("point", trajectories_of, {"units": "1", "long_name": "trajectories"})
    variables["status"] = ("point", status.astype(np.int8), {"long_name": "status of the solution"})
    conventions = "rates are positive into the system; k_B = 1; m = 1, T_R = 1"
    return xr.Dataset(
        variables,
        coords={"point": ("point", np.arange(POINTS), {"units": "1", "long_name": "number of the point"})},
        attrs={"machine": NonlinearOscillatorPair.name, "conventions": conventions, "created_by": "coldspot"},
    )


def check(data: "Dataset") -> Iterator[Number]:
    equal = data.left_temperature == 1
    gives = data.cooling > CERTAIN * data.cooling_error
    yield none_of(f"points (of {data.point.size}) without averages that can be trusted", data.status != 0)
    yield none_of("points at T_L = T_R where heat leaves a bath (4 standard errors): heat pumps", gives & equal)
    yield none_of(
        "points at T_L > T_R where heat leaves the colder bath (4 standard errors): refrigerators", gives & ~equal
    )
    yield none_of("points that deliver work (4 standard errors): engines", data.work < -CERTAIN * data.work_error)
    clear = data.cooling < -CERTAIN * data.cooling_error
    yield holds("at most points the sampling resolves the heat into the colder bath", clear.mean() > 0.5)


def draw(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(6.0, 4.2)
    axes = figure.subplots()
    strength = data.anharmonicity / (data.spring + data.coupling) ** 2
    marks = {
        r"heat out of the colder bath, $\dot q_c/\sigma$": (data.cooling / data.cooling_error, style.BLUE, "o"),
        r"work delivered, $-\dot w/\sigma$": (-data.work / data.work_error, style.ORANGE, "x"),
    }
    for label, (values, colour, marker) in marks.items():
        axes.plot(strength, values, linestyle="none", marker=marker, markersize=3.5, color=colour, label=label)
    axes.axhspan(CERTAIN, 100, color=style.TINTS["refrigerator"], linewidth=0, zorder=-1)
    axes.text(0.03, 20, "pump or engine", color=style.GREY, va="center", transform=axes.get_yaxis_transform())
    axes.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=CERTAIN)
    axes.set_ylim(-2e4, 100)
    axes.set(xlabel=r"anharmonicity  $\alpha T_R/(k+k_c)^2$", ylabel="rate in standard errors")
    axes.legend(loc="lower right")
    return figure


FIGURE = Figure(
    "search",
    "Search for a pump or an engine among anharmonic oscillators",
    f"The paper reports a search without printing it; this is ours. {POINTS} random points, uniform in the logarithm "
    "over 0.2 ≤ k, k_c ≤ 5, 0.03 ≤ α ≤ 30, 0.1 ≤ γ ≤ 3, 0.1 ≤ f_0 ≤ 10, 0.2 ≤ Ω ≤ 6, uniform over 0 ≤ φ ≤ 2π, at "
    "m = 1 and T_R = 1; at every other point T_L = T_R, else 0.01 ≤ T_L − T_R ≤ 2. Each is simulated with "
    f"{TRAJECTORIES} trajectories of 8192 steps or more after the transient, longer where the averages still drift, or "
    f"with the first {FEW} of them where these show by {CLEAR:g} standard errors that it is neither. All points share "
    "their random numbers, except those that drift, which have their own. Heat out of the bath that a pump would "
    "cool, and work delivered, in standard errors: a pump or an engine would lie in the shaded region.",
    "All points lie below the shaded region, most of them far below.",
    compute,
    draw,
    check,
    cost=20.0,
)
