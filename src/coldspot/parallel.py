"""One scheduler: pieces of work on all cores, results in order, a bar for those who wait, and a quick way out.

A piece is a call of compiled code, which lets go of Python's lock. Python acts on Ctrl-C between pieces only, so that a
piece should take well below a second: whoever cuts the work sees to that.
"""

import collections
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import jax

from .progress import track

A = TypeVar("A")
B = TypeVar("B")

AHEAD = 4
"""Pieces that each core may have finished or in hand before their turn comes: bounds the memory of what waits."""
AWAKE = 0.5
"""Seconds after which who waits looks up: Ctrl-C in the moment before a thread falls asleep does not wake it."""


def workers() -> int:
    """How many pieces run at a time: one per core that this process may use, or one where another device works."""
    if jax.default_backend() != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    function: Callable[[A], B],
    pieces: Sequence[A],
    *,
    label: str,
    progress: bool | None = None,
    threads: int | None = None,
) -> Iterator[B]:
    """Yield `function(piece)` for each piece, in order, computed on all cores, or by so many `threads`.

    `label` and `progress` are those of the bar (`progress`: always, never, or by default on a terminal if it takes
    long). Whoever stops early, by Ctrl-C, by an error in a piece or by no longer asking, is not kept waiting: pieces
    that have not begun are dropped, those that have begun are left to end by themselves.

    >>> list(spread(lambda x: x * x, range(4), label="squares"))
    [0, 1, 4, 9]
    """
    count = threads or workers()
    pool = ThreadPoolExecutor(count)
    try:
        results = _in_order(pool, function, pieces, AHEAD * count)
        yield from track(results, total=len(pieces), label=label, show=progress)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, function: Callable[[A], B], pieces: Sequence[A], ahead: int) -> Iterator[B]:
    """Results in order; at most `ahead` pieces are begun before the first of them is taken."""
    waiting = collections.deque(pool.submit(function, piece) for piece in pieces[:ahead])
    for k in range(len(pieces)):
        result = _taken(waiting.popleft())
        if k + ahead < len(pieces):
            waiting.append(pool.submit(function, pieces[k + ahead]))
        yield result


def _taken(piece: Future[B]) -> B:
    while not piece.done():
        wait([piece], timeout=AWAKE)
    return piece.result()
