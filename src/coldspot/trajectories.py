"""Trajectories: many random histories of one system, with the heat and work of each."""

from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from . import show
from ._attributes import Spoken
from ._checks import InputError, check_memory, check_positive, check_shape, worded
from .dataset import Variable, provenance, to_dataset
from .dynamics import as_dynamics
from .ledger import about
from .solution import Solution

if TYPE_CHECKING:
    import xarray


class Ensemble(Spoken, eqx.Module):
    """What ensembles of any dynamics have: a `solution` of averages, and each trajectory's amounts `heats`, `works`."""

    solution: eqx.AbstractVar[Solution]
    heats: eqx.AbstractVar[Any]
    works: eqx.AbstractVar[Any]

    heat = property(lambda self: self.solution.heat)
    work = property(lambda self: self.solution.work)
    error = property(lambda self: self.solution.error)
    regime = property(lambda self: self.solution.regime)
    status = property(lambda self: self.solution.status)

    def __repr__(self) -> str:
        return f"{self.heats.shape[0]} trajectories\n{self.solution!r}"

    def _repr_html_(self) -> str:
        return show.box(f"{self.heats.shape[0]} trajectories", self.solution._repr_html_())

    def labels(self) -> dict[str, tuple[Any, ...]]:
        return self.solution.labels() | {"trajectory": tuple(range(self.heats.shape[0]))}

    def own(self) -> dict[str, Any]:
        """Each trajectory's amounts (trajectory, bath or drive), by the name of their average."""
        return {"heat": self.heats, "work": self.works}

    def variables(self) -> dict[str, Variable]:
        """Those of the averages, and each trajectory's own amounts."""
        found = self.solution.variables()
        for name, values in self.own().items():
            if values.shape[-1]:
                units, meaning = about(name)
                axis = "drive" if name == "work" else "bath"
                found[f"trajectory_{name}"] = Variable(
                    values, ("trajectory", axis), self.unit_of(units), f"{meaning}, of each trajectory"
                )
        return found

    def unit_of(self, rate: str) -> str:
        """The unit of a trajectory's amounts, from that of the average, which is a rate."""
        return rate.replace("E**2/hbar", "E").replace("E/hbar", "1")

    def record(self) -> dict[str, Any]:
        """The averages as plain Python values, for JSON."""
        return self.solution.record()

    def to_dataset(self, unit: str | None = None) -> "xarray.Dataset":
        """Averages and the trajectories' own amounts; `unit` as for `Solution.to_dataset`."""
        return to_dataset(self, {}, {}, provenance(unit=unit), unit)


class Trajectories(Ensemble):
    """An ensemble of independent trajectories over a time.

    - `solution`: averages over trajectories and time, a `Solution` whose `error` holds standard errors;
    - `heats` (n, bath), `works` (n, drive), `storages` (n,): of each trajectory, what it absorbed and what its energy
      changed over the `time`: amounts, whose mean is the solution's rate times `time`;
    - `times` (k,) from the end of the transient (or from the `start`), `positions`, `velocities`
      (kept, k, coordinate): the sample paths that were asked for;
    - `time`: how long each was followed, after the transient; what was asked for, lengthened to whole blocks of steps
      (and periods).
    """

    solution: Solution
    heats: Array
    works: Array
    storages: Array
    times: Array
    positions: Array
    velocities: Array
    time: Array

    observables = property(lambda self: self.solution.observables)


@worded
def trajectories(machine: Any, key: Any, *, n: int = 1000, time: Any = 100.0, **options: Any) -> Any:
    """Simulate `n` independent trajectories of a machine in its steady or periodic state, with heat and work; or from

    a given `start` (networks of oscillators and Klein-Kramers problems): ramps and transients.

    **Arguments:**

    - `machine`: a machine or a dynamics that has trajectories (a `JumpNetwork`, event by event, driven or not; an
      `OscillatorNetwork`, linear or not; a `KleinKramers` problem, particle by particle);
    - `key`: a key of `jax.random`; the same key gives the same trajectories, whatever the number of processors;
    - `n`: how many, at least 16, or 2 of a jump network (standard errors come from their spread); `time`: how long each
      is averaged, after the transient; in a driven state it is lengthened to two or more whole periods;
    - `options`: those of the dynamics, see its own `trajectories`: `JumpNetwork`, `OscillatorNetwork`, `KleinKramers`.

    **Returns:** averages by name (`heat`, `work`, `particles`) with standard errors, and each trajectory's own amounts
    (`heats` (n, bath), `works`, …), over the time: `Trajectories` or `JumpTrajectories`.
    Raises `SolveError` where the averages cannot be trusted: a trajectory ends at infinity or at a value that is not a
    number (with the time and the coordinate), the averages still drift, or a rate exceeded its bound; `throw=False`
    returns them.

    >>> import coldspot as cs, jax
    >>> pair = cs.machines.NonlinearOscillatorPair(anharmonicity=0.5)
    >>> t = cs.trajectories(pair, jax.random.key(1), n=256, time=20.0)
    >>> t.heats.shape, bool(t.work["left"] > 3 * t.error.work["left"])
    ((256, 2), True)
    """
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise InputError(f"trajectories: `n` must be a positive integer, but is {n!r}.")
    return worded(as_dynamics(machine).trajectories)(key_words(key), n, time, **options)


def key_words(key: Any) -> Array:
    """The bits of a key, folded to two words of 32 bits."""
    typed = isinstance(key, jax.Array) and jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key)
    words = np.asarray(jax.random.key_data(key)) if typed else np.asarray(key)
    if words.dtype != np.uint32 or words.ndim != 1 or words.size not in (2, 4):
        raise InputError(f"trajectories: `key` must be a key such as jax.random.key(0), but is {key!r}.")
    return jnp.asarray(np.bitwise_xor.reduce(words.reshape(-1, 2)))


# --------------------------------------------------------------------------- where an ensemble starts


class Start(NamedTuple):
    """Where trajectories start: y of lane l is `base` (k, width), in column l mod width, plus `factor` (k, k) times

    normal numbers."""

    base: np.ndarray
    factor: np.ndarray


def start_of(owner: str, start: Any, k: int, n: int, what: str) -> Start:
    """From (mean, covariance) of y = `what`, from y itself (k,), or from that of each trajectory (n, k)."""
    wanted = (
        f"{owner}: `start` must be (mean, covariance) of {what}, or these numbers themselves, of shape {(k,)} for all "
        f"trajectories, or {(n, k)} for each"
    )
    if isinstance(start, tuple) and len(start) == 2 and np.ndim(start[1]) == 2:
        return Start(*_normal(wanted, *start, k))
    try:
        base = np.asarray(start, float)
    except (TypeError, ValueError):
        raise InputError(f"{wanted}, but is {start!r}.") from None
    if base.shape not in ((k,), (n, k)):
        raise InputError(f"{wanted}, but has shape {base.shape}.")
    if not np.isfinite(base).all():
        raise InputError(f"{owner}: `start` must hold finite numbers.")
    return Start(np.atleast_2d(base).T, np.zeros((k, k)))


def _normal(wanted: str, mean: Any, covariance: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (k, 1), and a factor of the covariance."""
    mean, covariance = np.asarray(mean, float), np.asarray(covariance, float)
    if mean.shape != (k,) or covariance.shape != (k, k):
        raise InputError(f"{wanted}; mean and covariance have shapes {mean.shape} and {covariance.shape}.")
    size = max(float(np.abs(covariance).max()), 1e-300)
    fine = np.isfinite(mean).all() and np.isfinite(covariance).all()
    if not fine or np.abs(covariance - covariance.T).max() > 1e-9 * size:
        raise InputError(f"{wanted}; numbers must be finite, and the covariance symmetric.")
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    if values[0] < -1e-9 * size:
        raise InputError(f"{wanted}; the covariance has the negative eigenvalue {values[0]:g}.")
    return mean[:, None], vectors * np.sqrt(np.maximum(values, 0.0))


# --------------------------------------------------------------------------- what is asked of an ensemble

FEWEST = 16
"""Fewest trajectories whose spread says something."""


def check_ensemble(
    owner: str, n: int, time: Any, time_step: Any, transient: Any, keep: Any, stride: Any, numbers: int
) -> None:
    """Refuse, in words, what no ensemble can be asked for; of each trajectory so many `numbers` are kept."""
    for name, value in {"time": time, "time_step": time_step}.items():
        if value is not None:
            check_shape(owner, name, value, (), "one number")
            check_positive(owner, name, value)
    if transient is not None and not (np.ndim(transient) == 0 and np.isfinite(transient) and transient >= 0):
        raise InputError(f"{owner}: `transient` must be a time, zero or positive, but is {transient!r}.")
    if n < FEWEST:
        raise InputError(f"{owner}: `n` must be at least {FEWEST}, but is {n}; their spread gives the standard errors.")
    check_memory(f"{owner}: an ensemble of {n:,} trajectories", numbers * 8.0 * n, "give fewer.")
    if not isinstance(keep, int) or not 0 <= keep <= n:
        raise InputError(f"{owner}: `keep` must be an integer from 0 to `n` = {n}, but is {keep!r}.")
    if not isinstance(stride, int) or stride < 1:
        raise InputError(f"{owner}: `stride` must be a positive integer, but is {stride!r}.")
