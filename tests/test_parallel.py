"""The scheduler: order, all cores, bounded room, errors, and a way out that nobody waits for."""

import subprocess
import sys
import threading
import time

import pytest

from coldspot import parallel


def test_results_come_in_order_whatever_takes_longest():
    def slow_first(k):
        time.sleep(0.03 if k % 3 == 0 else 0.0)
        return k * k

    assert list(parallel.spread(slow_first, range(20), label="squares")) == [k * k for k in range(20)]
    assert list(parallel.spread(slow_first, [], label="none")) == []


def test_pieces_run_side_by_side(monkeypatch):
    """Each of two pieces waits until the other has begun: in one thread that would never end."""
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    both = threading.Barrier(2, timeout=20)
    assert sorted(parallel.spread(lambda k: both.wait(), range(2), label="pairs")) == [0, 1]


def test_only_a_few_pieces_are_ahead(monkeypatch):
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    begun = []

    def note(k):
        begun.append(k)
        return k

    results = parallel.spread(note, range(100), label="pieces")
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 2 * parallel.AHEAD + 1
    assert list(results) == list(range(1, 100))


def test_an_error_in_a_piece_arrives_and_the_rest_is_dropped(monkeypatch):
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    begun = []

    def fail(k):
        begun.append(k)
        if k == 1:
            raise ValueError("piece 1")
        time.sleep(0.05)
        return k

    with pytest.raises(ValueError, match="piece 1"):
        list(parallel.spread(fail, range(100), label="pieces"))
    time.sleep(0.3)
    assert len(begun) <= 2 * parallel.AHEAD + 2


INTERRUPTED = """
import os, signal, threading, time
from coldspot import parallel
{first}
parallel.workers = lambda: 2
begun, left = [], threading.Event()

def piece(k):
    begun.append(k)
    if k == 3:
        time.sleep(0.3)  # until the main thread only waits
        {here}
        os.kill(os.getpid(), signal.SIGINT)
    if k >= 2:
        left.wait()

try:
    list(parallel.spread(piece, range(400), label="pieces"))
except KeyboardInterrupt:
    left.set()
    time.sleep(0.3)
    print("begun:", sorted(begun))
"""


SLEEPING = {
    "first": "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})",
    "here": "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})",
}
"""Another thread gets the signal, which does not wake the one that waits: as when it comes just before that waits."""


@pytest.mark.parametrize("more", [{"first": "", "here": "pass"}, SLEEPING], ids=["waiting", "not woken"])
def test_ctrl_c_leaves_at_once(more):
    """The pieces in hand end only after it has left, and no other is begun."""
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(**more)], capture_output=True, text=True, timeout=100, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "begun: [0, 1, 2, 3]\n", "")
