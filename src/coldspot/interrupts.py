"""Ctrl-C in the program `coldspot`: one line and exit code 130 within a moment, whatever is going on.

Python acts on signals between two steps of its main thread, which a compilation or an import delays by seconds, and
drops exceptions in some places. Here a thread waits for the byte that Python writes to a pipe as soon as the signal
comes, and ends the process: nothing half-written stays, and no library is asked for its opinion.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from .files import remove_unfinished

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
MESSAGE = b"interrupted\n"
CLEAR_BAR = b"\r\x1b[2K\x1b[?25h"
"""Clears the line of a progress bar and shows the cursor that the bar has hidden."""


def is_program() -> bool:
    """Whether this process is the program `coldspot` (or `python -m coldspot`), not a user's."""
    if sys.argv[:1] == ["-m"]:
        words = sys.orig_argv
        return "coldspot" in words[words.index("-m") + 1 :][:1] if "-m" in words else False
    program = Path(sys.argv[0]) if sys.argv else Path()
    # Once it runs, `python -m coldspot` has the name of its file.
    return program.stem == "coldspot" or program.parts[-2:] == ("coldspot", "__main__.py")


def watch() -> None:
    """From now on, leave on Ctrl-C; where the signal is ignored (`nohup`), it stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reader,), daemon=True, name="interrupts").start()


def ignore() -> None:
    """From now on, Ctrl-C does nothing: all is written, and Python is only being taken down.

    That takes a moment, in which Python hands the signal back to the system, whose way would end in a failure.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _wait(reader: int) -> None:
    while signal.SIGINT not in os.read(reader, 1):
        pass
    leave()


def leave() -> None:
    """End the process with one line on stderr."""
    try:
        remove_unfinished()
        if os.isatty(2):
            os.write(2, CLEAR_BAR)
        os.write(2, MESSAGE)
    finally:
        os._exit(INTERRUPTED)
