"""Parts of papers on several processes: this one, and helpers that it starts.

Tracing and drawing are Python's work, of which a process does one piece at a time. A helper is this module as a
program: it reads parts from its stdin, sends back what came of them on its stdout, and ends when its stdin does, so
that none is left by a process that was killed. Who works on a paper goes on with it, for its figures share compiled
programs; who has none left begins the largest that nobody has begun, or takes the last part of the one with most left.
"""

import collections
import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from .. import kept_programs
from ..files import remove_unfinished
from ..parallel import AWAKE
from ..progress import be_quiet
from .parts import Done, Part, do


class Shares:
    """Parts that are not begun yet, a row for each paper."""

    def __init__(self, rows: Sequence[Sequence[Part]]) -> None:
        self._rows = rows
        # The longest first: who has nothing else left to do cannot help with it.
        orders = [[j for _, j in sorted((-part.cost, j) for j, part in enumerate(row))] for row in rows]
        self._left = [collections.deque((k, j) for j in order) for k, order in enumerate(orders)]
        self._begun = [False] * len(rows)
        self._lock = threading.Lock()

    def take(self, latest: int | None) -> tuple[int, int] | None:
        """Row and place of the next part for someone whose latest one was of the row `latest`; None if none is left."""
        with self._lock:
            if latest is not None and self._left[latest]:
                return self._left[latest].popleft()
            rows = [k for k, row in enumerate(self._left) if row]
            if not rows:
                return None
            fresh = [k for k in rows if not self._begun[k]]
            row = max(fresh or rows, key=lambda k: sum(self._rows[i][j].cost for i, j in self._left[k]))
            self._begun[row] = True
            return self._left[row].popleft() if fresh else self._left[row].pop()


def spread(rows: Sequence[Sequence[Part]], processes: int) -> Iterator[tuple[int, int, Done]]:
    """Do all parts, and yield row, place and result of each when it is done, in no order; the first error is raised."""
    shares = Shares(rows)
    results: queue.SimpleQueue[tuple[int, int, Done] | BaseException] = queue.SimpleQueue()
    helpers = [_start() for _ in range(processes - 1)]

    def feed(helper: "subprocess.Popen[bytes]") -> None:
        at = None
        while (found := shares.take(None if at is None else at[0])) is not None:
            at = found
            try:
                done = _ask(helper, rows[at[0]][at[1]])
            except (EOFError, OSError):  # it has died, perhaps for want of memory
                done = _attempt(rows[at[0]][at[1]])
            results.put(done if isinstance(done, BaseException) else (*at, done))

    try:
        for helper in helpers:
            threading.Thread(target=feed, args=(helper,), daemon=True).start()
        latest, missing = None, sum(map(len, rows))
        while missing:
            at = shares.take(latest)
            if at is not None:
                latest = at[0]
                results.put((*at, do(rows[at[0]][at[1]])))
            found = _next(results)
            if isinstance(found, BaseException):
                raise found
            missing -= 1
            yield found
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def _next(results: "queue.SimpleQueue[Any]") -> Any:
    """What is done next. Looks up now and then, so that Ctrl-C just before it waits is noticed, too."""
    while True:
        with contextlib.suppress(queue.Empty):
            return results.get(timeout=AWAKE)


def _attempt(part: Part) -> Done | BaseException:
    try:
        return do(part)
    except Exception as error:
        return error


def _ask(helper: "subprocess.Popen[bytes]", part: Part) -> Done | BaseException:
    assert helper.stdin is not None
    assert helper.stdout is not None
    pickle.dump(part, helper.stdin)
    helper.stdin.flush()
    found: Done | BaseException = pickle.load(helper.stdout)
    return found


def _start() -> "subprocess.Popen[bytes]":
    places = os.pathsep.join(place or os.curdir for place in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": places},
    )


# --------------------------------------------------------------------------- the helper


def serve() -> None:
    """Do the parts that come on stdin until it ends, which is at once when the process that asks does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the one who asks decides
    be_quiet()
    kept_programs.keep(longer_than=0.0)
    # What libraries print must not get between the results.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    parts: queue.SimpleQueue[Part] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(parts,), daemon=True).start()
    while True:
        answers.write(_packed(_attempt(parts.get())))
        answers.flush()


def _listen(parts: "queue.SimpleQueue[Part]") -> None:
    try:
        while True:
            parts.put(pickle.load(sys.stdin.buffer))
    finally:
        remove_unfinished()
        os._exit(0)


def _packed(found: Any) -> bytes:
    try:
        return pickle.dumps(found)
    except Exception:  # errors may hold what cannot be sent
        return pickle.dumps(RuntimeError(f"{type(found).__name__}: {found}"))


if __name__ == "__main__":
    serve()
