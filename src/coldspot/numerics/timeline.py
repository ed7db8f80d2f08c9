"""The time steps of trajectories: they end where drives jump or bend, and are equally long between two such moments."""

from typing import NamedTuple

import numpy as np

LEAST = 4
"""Steps between two such moments, at least."""
EARLY = 1e-9
"""Part of a piece by which a moment lies after its start, or before its end; of a period, up to which two are one."""
ROUNDING = 4e-15
"""Beside it, part of all the time."""


class Timeline(NamedTuple):
    """Moments `edges` (piece+1,), from 0, and the `counts` (piece,) of steps between them; a whole number of blocks.

    `turns`: whether it begins anew at its end, as a period does.
    """

    edges: np.ndarray
    counts: np.ndarray
    turns: bool

    @property
    def duration(self) -> float:
        return float(self.edges[-1])

    @property
    def steps(self) -> int:
        return int(self.counts.sum())

    @property
    def longest(self) -> float:
        """The longest step."""
        return float((np.diff(self.edges) / self.counts).max())

    @property
    def pieces(self) -> np.ndarray:
        """The piece of each step (step,)."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    @property
    def lengths(self) -> np.ndarray:
        """Of each step (step,)."""
        return (np.diff(self.edges) / self.counts)[self.pieces]

    def halved(self) -> "Timeline":
        """With steps twice as long."""
        return self._replace(counts=self.counts // 2)

    def nodes(self) -> np.ndarray:
        """Times at the starts and ends of all steps, of one piece after another: (step + piece,).

        Those of pieces lie inside them, so that drives are what they are there.
        """
        parts, rounding = [], ROUNDING * self.duration
        for start, end, count in zip(self.edges[:-1], self.edges[1:], self.counts, strict=True):
            times = start + (end - start) * np.arange(count + 1) / count
            # A time that does not turn may end where a drive jumps for the first time.
            inside = 0.0 if self.turns and self.counts.size == 1 else EARLY * (end - start) + rounding
            parts.append(np.clip(times, start + inside, end - inside))
        return np.concatenate(parts)

    def after(self, steps: int) -> float:
        """The time after a number of steps."""
        turns, rest = divmod(steps, self.steps)
        return turns * self.duration + float(self.lengths[:rest].sum())


def timeline(edges: np.ndarray, step: float, *, block: int, turns: bool = True) -> Timeline:
    """Steps of at most `step` between the `edges`, an even number of each, and a multiple of 2·`block` in all."""
    durations = np.diff(edges)
    least = LEAST if durations.size > 1 else 2
    counts = np.maximum(2 * np.ceil(durations / (2 * step) * (1 - 1e-12)), least).astype(int)
    while counts.sum() % (2 * block):
        counts[np.argmax(durations / counts)] += 2
    return Timeline(np.asarray(edges, float), counts, turns)


def edges_of(borders: np.ndarray, duration: float, stop: float | None) -> np.ndarray:
    """Moments at which pieces begin and end, from shares of a period of that `duration`: over one, or up to `stop`."""
    last = duration if stop is None else stop
    if not borders.size:
        return np.array([0.0, last])
    turns, near = np.arange(np.ceil(last / duration) + 1), EARLY * duration
    inner = np.sort(((turns[:, None] + borders) * duration).ravel())
    inner = inner[np.diff(inner, prepend=-duration) > near]
    return np.concatenate([[0.0], inner[(inner > near) & (inner < last - near)], [last]])
