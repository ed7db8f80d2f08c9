"""Escape over a barrier: one-way rates between two wells, from the slowest relaxation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import numpy as np

from .. import printed, show
from .._attributes import Spoken
from .._checks import InputError, as_float, check_type, worded
from ..dynamics import TOLERANCE, checked_tolerance
from ..numerics.one_thread import one_thread
from ..parallel import spread
from ..solution import SolveError, Status, plain
from . import wells
from .arguments import known
from .klein_kramers import KleinKramers
from .terrain import CLOSED, Terrain

if TYPE_CHECKING:
    from . import relaxation, turnover

WORDS = {
    "rate": "rate",
    "left_to_right": "left to right",
    "right_to_left": "right to left",
    "transition_state": "transition state",
    "kramers": "Kramers",
    "melnikov_meshkov": "Mel’nikov–Meshkov",
    "top": "top at x",
}
"""What prints, in this order."""


class EscapeRate(Spoken, eqx.Module):
    """Rates of escape between two wells; arrays if several frictions were asked for.

    - `rate`: half the smallest nonzero relaxation rate λ₁, the rate out of either well of a symmetric potential;
      `float(…)` gives it, too. `error`: its bound;
    - `left_to_right`, `right_to_left`: one-way rates; they add up to λ₁, and their ratio is that of the equilibrium
      populations on either side of the barrier's top;
    - `top`: where that is;
    - `transition_state`: the rate λ₁/2 without friction's recrossings, with ∫e^{−V/T}dx over each well itself, not over
      a parabola; `kramers`: that times √(1+γ²/4ω²) − γ/2ω at the top (Grote and Hynes' for friction without memory);
      `melnikov_meshkov`: that times what weak friction leaves. They need one temperature, and are NaN otherwise;
    - `status`: NOT_CONVERGED if the error exceeds the tolerance; NaN is a rate that rounding exceeds.
    """

    rate: np.ndarray
    error: np.ndarray
    left_to_right: np.ndarray
    right_to_left: np.ndarray
    top: np.ndarray
    transition_state: np.ndarray
    kramers: np.ndarray
    melnikov_meshkov: np.ndarray
    status: np.ndarray

    def _sheet(self) -> tuple[str, list[printed.Table], list[str]]:
        """A row for each number of one friction; a column for each number of a list of them."""
        codes = dict.fromkeys(Status(int(code)).name for code in self.status.ravel())
        facts = [f"status {', '.join(codes)}"]
        if np.ndim(self.rate) > 1:
            return f"escape rates of shape {np.shape(self.rate)}", [], facts
        columns = [
            [show.measured(*pair) for pair in zip(np.ravel(self.rate), np.ravel(self.error), strict=True)],
            *([show.number(value) for value in np.ravel(getattr(self, name))] for name in list(WORDS)[1:]),
        ]
        words = list(WORDS.values())
        if np.ndim(self.rate) == 0:
            return (
                "escape rate",
                [(("quantity", "value"), [(w, c[0]) for w, c in zip(words, columns, strict=True)])],
                facts,
            )
        rows = [(str(k), *row) for k, row in enumerate(zip(*columns, strict=True))]
        return f"{len(rows)} escape rates", [(("", *words), rows)], facts

    def __repr__(self) -> str:
        return printed.sheet(*self._sheet())

    def _repr_html_(self) -> str:
        return printed.sheet_html(*self._sheet())

    def record(self) -> dict[str, Any]:
        """Everything as plain Python values, for JSON: what is not finite is None."""
        numbers = {name: plain(value) for name, value in vars(self).items() if name != "status"}
        codes = [Status(int(code)).name for code in self.status.ravel()]
        return {"status": codes if np.ndim(self.status) else codes[0], **numbers}

    def __float__(self) -> float:
        return float(self.rate)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.rate, dtype=dtype)


@worded
def escape_rate(
    problem: KleinKramers, *, friction: Any = None, tolerance: float = TOLERANCE, throw: bool = True
) -> EscapeRate:
    """Rates at which a particle goes over the barrier between two wells, with friction weak or strong.

    **Arguments:** `problem`, a closed `KleinKramers` with two wells (others must be much easier to leave, and
    belong to the side of the top on which they are); `friction`, a list of uniform frictions to take the place of the
    problem's own (a turnover in one call: the rates of many frictions are interpolated between some that are solved,
    and checked at others); `tolerance`, the relative error allowed; `throw`: whether to raise `SolveError` if it is
    not reached.

    The rates are those of relaxation, −λ of the Klein–Kramers operator: with a barrier of several T, λ₁ is far below
    the other rates and is the sum of both one-way rates.

    >>> import coldspot as cs
    >>> wells = cs.KleinKramers(lambda x: 5 * (x * x - 1) ** 2, friction=10.0, temperature=1.0, boundary=cs.Closed())
    >>> found = cs.escape_rate(wells)
    >>> f"{float(found):.9e}", f"{found.transition_state:.6e}"
    ('2.423746971e-03', '6.445713e-03')
    """
    check_type("escape_rate", "problem", problem, KleinKramers)
    limit = float(checked_tolerance(tolerance))
    if problem.moving:
        raise InputError("escape_rate: rates are known for potentials at rest, but drives move that of `problem`.")
    terrain = problem.terrain()
    if terrain.kind != CLOSED:
        raise InputError(
            "escape_rate: `problem` must have the boundary Closed(), since rates are those of relaxation between two "
            f"wells, but has {type(problem.boundary).__name__}."
        )
    found = wells.find(terrain)
    if isinstance(found, str):
        raise InputError(f"escape_rate: {found}.")
    _check_walls(terrain, found)
    if friction is None:
        with one_thread():
            return _checked(EscapeRate(*_row(terrain, found, _solved(terrain, found, limit))), found, limit, throw)
    numbers = known(as_float(friction, "escape_rate: `friction`"))
    if not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise InputError(f"escape_rate: `friction` must be positive and finite, but is {numbers}.")
    if not numbers.size:
        raise InputError("escape_rate: `friction` must hold at least one number, but is empty.")
    # SciPy is loaded where it is used.
    from . import turnover

    each, place = np.unique(numbers, return_inverse=True)

    def solve(frictions: Sequence[float]) -> Sequence[turnover.Point]:
        terrains = [terrain.with_friction(number) for number in frictions]
        return list(spread(lambda one: _solved(one, found, limit), terrains, label="frictions"))

    with one_thread():
        points = turnover.interpolated(each, solve, limit)
        rows = [_row(terrain.with_friction(g), found, p) for g, p in zip(each, points, strict=True)]
    columns = [np.reshape(np.stack(column)[place.ravel()], numbers.shape) for column in zip(*rows, strict=True)]
    return _checked(EscapeRate(*columns), found, limit, throw)


def _check_walls(terrain: Terrain, found: wells.Wells) -> None:
    """A wall below the barrier's top is met by particles on their way up: it is part of what the rate is of."""
    if not terrain.walled:
        return
    ends = np.array([terrain.edges[0], terrain.edges[-1]])
    heights, top = terrain.read(ends)[0], terrain.read(np.array([found.top]))[0][0]
    for name, well, end, height in zip(("start", "stop"), ("left", "right"), ends, heights, strict=True):
        if height < top:
            raise InputError(
                f"escape_rate: the wall `{name}` of the boundary, at x = {end:g}, cuts the {well} well: the potential "
                f"there is {top - height:.3g} below the barrier's top. Move it to where the potential is higher, or "
                "leave it out, Closed(); rates of a box are `problem.relaxation_rates()`."
            )


def _weakness(terrain: Terrain, found: wells.Wells) -> "relaxation.Weak | None":
    from . import relaxation

    if not terrain.uniform:
        return None
    loss = min(wells.loss(terrain, found, side) for side in (-1.0, 1.0))
    return relaxation.Weak(max(loss, 1e-6), float(found.depths.max()))


def _solved(terrain: Terrain, found: wells.Wells, tolerance: float) -> "turnover.Point":
    from . import diffusion, relaxation, turnover

    weak = _weakness(terrain, found)
    if weak is not None and weak.loss < diffusion.WEAK:
        slow = diffusion.slowest(terrain, found)
        if slow is not None and (slow.error <= tolerance or weak.loss < diffusion.FAINT):
            return turnover.Point(slow.rate, slow.error, slow.slope, slow.error <= tolerance, found.shares)
    slowest = relaxation.slowest(terrain, tolerance, found.top, weak)
    if slowest is None or not slowest.rate > 0:
        return turnover.Point(np.nan, np.nan, np.nan, False, np.full(2, np.nan))
    shares = relaxation.shares(slowest, found.top)
    return turnover.Point(slowest.rate, slowest.error / slowest.rate, slowest.slope, slowest.converged, shares)


def _row(terrain: Terrain, found: wells.Wells, point: "turnover.Point") -> tuple[np.ndarray, ...]:
    """The numbers of an `EscapeRate` at one friction."""
    simple = np.full(3, np.nan)
    if terrain.uniform:
        # Half the sum of both one-way rates, as λ₁/2 is of the exact ones.
        base = found.transition_state.sum() / 2
        factors = wells.theories(terrain, found)
        simple = base * np.array([1.0, factors.kramers, factors.melnikov_meshkov])
    total = point.rate
    status = Status.OK if point.converged else Status.NOT_CONVERGED
    ways = total * point.shares[::-1]
    numbers = (total / 2, point.error * total / 2, *ways, found.top, *simple, int(status))
    return tuple(np.array(number) for number in numbers)


def _checked(rates: EscapeRate, found: wells.Wells, tolerance: float, throw: bool) -> EscapeRate:
    bad = np.flatnonzero(rates.status.ravel() != int(Status.OK))
    if throw and len(bad):
        k = bad[0]
        status = Status(int(rates.status.ravel()[k]))
        off = float(rates.error.ravel()[k] / rates.rate.ravel()[k])
        what = "rounding exceeds the rate" if np.isnan(off) else f"its error is {off:.0e} of it"
        raise SolveError(
            f"no trustworthy escape rate ({status.name}): {what}, but {tolerance:.0e} was asked for; the barrier is "
            f"{found.depths.max():.3g} temperatures high, and weak friction and high barriers need finer meshes than "
            "there are; at losses in a round far below T the energy diffuses, to about that part. "
            "Ask for a larger `tolerance`, or use `throw=False` and read `error`, and `melnikov_meshkov` (of one "
            "temperature), a theory that is the better the higher the barrier is.",
            status,
        )
    return rates
