"""Ensembles that grow until their standard errors are as small as asked, and go on where they were stopped.

Trajectories are added in portions of one size. Their random numbers depend on key, trajectory and step alone, and
whether to stop on what has been found so far: an ensemble that was stopped and goes on is the one that was not.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import numpy as np

from ._checks import InputError, Values, check_positive, check_shape
from .files import unwritable, whole
from .machine_files.results import check_place
from .progress import track

OWNER = "Until"
LEAST = 256
"""Trajectories before which errors are not trusted: fewer of skewed amounts may miss what is rare, and look exact."""
PATIENT = 64
"""Portions foreseen at most: the standard error itself is not known well at first."""


class Result(NamedTuple):
    """Rates of each trajectory in the two halves of its time, (half, quantity, lane), in an order of the form's own;

    the block in which each failed (−1 if in none); its state (…, lane) before that or last.
    """

    rates: Values
    failed: Values
    last: Values


Worst = Callable[[Result], float]
"""The largest standard error of heats and works."""


def of_rates(flows: int) -> Worst:
    """If the first `flows` rates are heats and works."""

    def worst(done: Result) -> float:
        rates = np.asarray(done.rates)[:, :flows].mean(axis=0)
        return float(np.max(rates.std(axis=-1, ddof=1), initial=0.0)) / math.sqrt(rates.shape[-1])

    return worst


class Until:
    """Ask for trajectories until the standard errors of all heats and works are at most `standard_error`.

    At least 256 are simulated, as errors found from fewer may be far too small.

    - `most`: trajectories after which to stop in any case; the standard errors of the result say how far it came;
    - `file`: a path that ends in `.npz`, written after each portion of `n` trajectories. If it is there, they are not
      simulated again: stopped at any time, the same call goes on, and ends with the same numbers, bit for bit. A file
      of another network, key, `n`, time or step is refused.

    >>> import coldspot as cs, jax
    >>> until = cs.oscillators.Until(standard_error=0.02)
    >>> t = cs.trajectories(cs.machines.OscillatorPair(), jax.random.key(1), n=32, time=20.0, until=until)
    >>> t.heats.shape[0] > 32, bool(max(t.error.heat.values()) <= 0.02)
    (True, True)
    """

    def __init__(self, standard_error: Any, *, most: int = 10_000_000, file: str | Path | None = None):
        check_shape(OWNER, "standard_error", standard_error, (), "one number")
        check_positive(OWNER, "standard_error", standard_error)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise InputError(f"{OWNER}: `most` must be a positive integer, but is {most!r}.")
        self.standard_error, self.most = float(standard_error), most
        self.file = None if file is None else Path(file)
        if self.file is not None and self.file.suffix != ".npz":
            raise InputError(f"{OWNER}: `file` must be a path that ends in `.npz`, but is `{self.file}`.")

    def __repr__(self) -> str:
        file = f", file={str(self.file)!r}" if self.file else ""
        return f"Until(standard_error={self.standard_error:g}, most={self.most}{file})"


def identity(*numbers: Any) -> str:
    """A digest of all arrays, numbers and strings that an ensemble depends on; static fields are none of them."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(numbers):
        if isinstance(leaf, str):
            digest.update(leaf.encode())
        if isinstance(leaf, (jax.Array, np.ndarray, float, int)):
            digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def grown(
    portion: Callable[[int, bool | None], Result],
    n: int,
    worst: Worst,
    until: Until | None,
    progress: bool | None,
    label: Callable[[], str],
) -> Result:
    """Trajectories `portion(first, progress)`, `n` of them at a time, until the `worst` of them is known enough.

    `label` gives the identity of the ensemble, for its file.
    """
    if until is None:
        return portion(0, progress)
    if not isinstance(until, Until):
        raise InputError(f"{OWNER}: `until` must be an Until, such as Until(standard_error=0.02), but is {until!r}.")
    if until.most < n:
        raise InputError(f"{OWNER}: `most` must be at least `n` = {n}, but is {until.most}.")
    name = label() if until.file is not None else ""
    parts = _read(until.file, name, n, until.most)
    while not _enough(parts, worst, until, n):
        # How many are missing is only known in the end; a bar for what the errors now let one expect.
        count = _missing(parts, worst, until, n)
        more = _portions(portion, parts, n, until.most, count)
        for part in track(more, total=count, label="trajectories", show=progress):
            parts.append(part)
            if until.file is not None:
                _write(until.file, name, n, parts)
            if _enough(parts, worst, until, n):
                break
    return _joined(parts)


def _portions(
    portion: Callable[[int, bool | None], Result], parts: Sequence[Result], n: int, most: int, count: int
) -> Iterator[Result]:
    """As many more; where fewer than `n` are left of the `most`, the first of a portion."""
    for _ in range(count):
        begin = len(parts) * n
        yield jax.tree.map(lambda a, left=most - begin: a[..., :left], portion(begin, False))


def _joined(parts: Sequence[Result]) -> Result:
    return jax.tree.map(lambda *arrays: np.concatenate([np.asarray(a) for a in arrays], axis=-1), *parts)


def _enough(parts: Sequence[Result], worst: Worst, until: Until, n: int) -> bool:
    if not parts:
        return False
    if len(parts) * n >= until.most or any(np.any(np.asarray(part.failed) >= 0) for part in parts):
        return True
    if len(parts) * n < LEAST:
        return False
    # Written so that errors which are no numbers end it, too.
    return not worst(_joined(parts)) > until.standard_error


def _missing(parts: Sequence[Result], worst: Worst, until: Until, n: int) -> int:
    if not parts:
        return 1
    ratio = worst(_joined(parts)) / until.standard_error
    wanted = max(math.ceil(len(parts) * min(ratio**2, 1 + PATIENT / len(parts))), math.ceil(LEAST / n))
    return max(1, min(wanted, math.ceil(until.most / n)) - len(parts))


def _write(path: Path, name: str, n: int, parts: Sequence[Result]) -> None:
    """The file anew, whole or not at all."""
    done = _joined(parts)
    try:
        with whole(path) as part, part.open("wb") as stream:
            np.savez(stream, identity=name, n=n, rates=done.rates, failed=done.failed, last=done.last)
    except OSError as error:
        raise InputError(f"trajectories: `{path}` cannot be written: {unwritable(path, error)}.") from None


def _read(path: Path | None, name: str, n: int, most: int) -> list[Result]:
    if path is None:
        return []
    if not path.exists():
        check_place(path, "trajectories: ")
        return []
    try:
        with np.load(path) as stored:
            known, count = str(stored["identity"]), int(stored["n"])
            done = Result(stored["rates"], stored["failed"], stored["last"])
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        raise InputError(
            f"trajectories: `{path}` is damaged, or no file of trajectories; remove it to begin anew."
        ) from None
    if known != name or count != n:
        raise InputError(
            f"trajectories: `{path}` holds trajectories of another ensemble (network, key, `n`, `time`, time step or "
            "transient); give another `file`, or remove it to begin anew."
        )
    made = done.failed.shape[-1]
    # A last portion that a smaller `most` cut short is made anew.
    pieces = range(0, made if made >= most else made // n * n, n)
    return [jax.tree.map(lambda a, k=k: a[..., k : k + n], done) for k in pieces]
