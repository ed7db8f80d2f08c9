"""What a program shows on stderr while it works: a bar on a terminal, if the work takes long; no words of others."""

import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 1.0
"""Seconds after which a bar appears."""


def track(items: Iterable[T], *, total: int, label: str, show: bool | None = None) -> Iterator[T]:
    """Yield the items as they come, with a bar (`show`: always, never, or by default on a slow terminal run)."""
    if show is False or (show is None and not sys.stderr.isatty()):
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=total)
    running = False
    try:
        for item in items:
            if not running and (show or time.monotonic() - started > PATIENCE):
                bar.start()
                running = True
            bar.advance(task)
            yield item
    finally:
        if running:
            bar.stop()


def be_quiet() -> None:
    """Warnings and logs of other libraries (no home, no folder for a cache) are nothing that a user can act on."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
