"""The program `coldspot`: settings of the process around the command line in `cli`."""

import io
import os
import sys

from . import cli, interrupts, kept_programs
from .progress import be_quiet

UNREAD = 141
"""Exit code if the reader of stdout has left, as shells have it."""


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a Greek letter shows a question mark instead of failing.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    be_quiet()
    kept_programs.keep(longer_than=0.0)
    try:
        code = cli.run(sys.argv[1:])
    except BrokenPipeError:
        code = UNREAD
    except OSError as error:
        code = cli.complain(f"cannot write to stdout: {error.strerror or error}.", 2)
    if code == cli.INTERRUPTED:
        # XLA may still be compiling in threads of its own, and crashes when Python is taken down around them.
        os._exit(code)
    _flush()
    interrupts.ignore()
    sys.exit(code)


def _flush() -> None:
    """What cannot be written now (the reader has left, as `head` does; the disk is full) goes nowhere, quietly."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except AttributeError:  # there is no stdout
        pass


if __name__ == "__main__":
    main()
