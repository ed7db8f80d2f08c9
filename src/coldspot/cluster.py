"""Pieces of work on the workers of a Dask cluster, results in order.

A piece whose worker is lost goes to another one. What runs there is the compiled code that would run here, with the
same shapes, so that the bits are those that a processor of this kind would find here.
"""

import collections
import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ._checks import InputError
from ._version import __version__
from .progress import track

A = TypeVar("A")

AHEAD = 3
"""Pieces for each thread of the cluster that are on their way at a time: bounds what waits here and there."""
PATIENCE = 60.0
"""Seconds without a result after which it is looked whether there are workers at all."""
LIVES = 5
"""Times that a piece is given out again after Dask has given it up, which it does when some workers have died of it."""


def checked(owner: str, client: Any) -> Any:
    """A Dask client that can be asked to work."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        if error.name not in ("distributed", "dask"):
            raise
        raise InputError(
            f'{owner}: `client` needs Dask, which is not installed; install it with: pip install "coldspot[cluster]"'
        ) from None
    if not isinstance(client, Client):
        raise InputError(
            f"{owner}: `client` must be a dask.distributed.Client, but is {type(client).__name__}; write "
            "`client=Client(cluster)`."
        )
    if client.asynchronous:
        raise InputError(f"{owner}: `client` must not be asynchronous; make it with `asynchronous=False`.")
    if client.status != "running":
        raise InputError(
            f"{owner}: `client` is {client.status}, so that no worker can be reached; make a new one with "
            "`Client(cluster)`."
        )
    return client


def threads(client: Any) -> int:
    """How many pieces the cluster works at now: at least one, since workers may still come."""
    return max(1, sum(client.nthreads().values()))


def spread(
    client: Any,
    function: Callable[[A], Any],
    pieces: Iterable[A],
    *,
    total: int,
    owner: str,
    progress: bool | None = None,
) -> Iterator[Any]:
    """Yield `function(piece)` for each of `total` pieces, in order, computed by the workers of a Dask cluster.

    Whoever stops early cancels what has not been computed yet.
    """
    import cloudpickle

    try:
        packed = cloudpickle.dumps(function)
    except Exception as error:
        raise InputError(f"{owner}: the machine cannot be sent to workers: {' '.join(str(error).split())}") from None
    yield from track(_in_order(client, packed, pieces, owner), total=total, label=owner, show=progress)


def _in_order(client: Any, packed: bytes, pieces: Iterable[Any], owner: str) -> Iterator[Any]:
    from distributed import CancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    # Held by a worker, and made again by the scheduler if that is lost.
    jobs = [client.submit(_kept, packed, pure=False)]
    rest = iter(pieces)
    waiting: collections.deque[tuple[Any, Any]] = collections.deque()

    def begun(piece: Any) -> Any:
        if jobs[-1].status == "error":  # given up with its worker
            jobs.append(client.submit(_kept, packed, pure=False))
        return client.submit(_worked, jobs[-1], __version__, piece, pure=False)

    def refill() -> None:
        room = AHEAD * threads(client) - len(waiting)
        waiting.extend((piece, begun(piece)) for piece in itertools.islice(rest, max(room, 0)))

    try:
        refill()
        while waiting:
            piece, future = waiting.popleft()
            for life in range(LIVES):
                try:
                    result = _awaited(client, future, owner)
                    break
                except KilledWorker as error:
                    if life == LIVES - 1:
                        raise InputError(
                            f"{owner}: a piece was given up, since all workers that tried it have died: {error}; see "
                            "their logs (too little memory?)."
                        ) from None
                    future = begun(piece)
            del future
            refill()
            yield result
    except (CancelledError, CommClosedError, TimeoutError) as error:
        raise InputError(
            f"{owner}: `client` was closed, or has lost its scheduler, while it worked ({type(error).__name__})."
        ) from None
    except ModuleNotFoundError as error:
        raise InputError(
            f"{owner}: a worker has no module `{error.name}`; install it there, or send your own file with "
            "`client.upload_file`."
        ) from None
    finally:
        if client.status == "running":
            client.cancel([future for _, future in waiting])


def _awaited(client: Any, future: Any, owner: str) -> Any:
    """The result of a future; whoever waits for workers that do not come is told so."""
    told = False
    while True:
        try:
            return future.result(timeout=PATIENCE)
        except TimeoutError:
            if future.done():
                raise
            if not told and not client.nthreads():
                warnings.warn(f"{owner}: the cluster has no workers now; waiting for one.", stacklevel=2)
                told = True


# --------------------------------------------------------------------------- on a worker


def _kept(packed: bytes) -> bytes:
    return packed


def _worked(packed: bytes, version: str, piece: Any) -> Any:
    if version != __version__:
        raise InputError(f"a worker runs coldspot {__version__}, but is asked by coldspot {version}; install the same.")
    return _function(packed)(piece)


@functools.lru_cache(maxsize=4)
def _function(packed: bytes) -> Callable[[Any], Any]:
    import cloudpickle

    return cloudpickle.loads(packed)
