"""Files written whole or not at all, and the remains of those who were killed."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from coldspot import files

KILLED = """
import os, signal, sys
from pathlib import Path
from coldspot import files
with files.whole(Path(sys.argv[1])) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_a_killed_process_left_is_removed(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], check=False)
    assert done.returncode == -signal.SIGKILL
    (abandoned,) = tmp_path.iterdir()
    alive = tmp_path / f".b.txt.{os.getpid()}.part"
    other = tmp_path / ".c.part"
    for path in (alive, other):
        path.write_text("someone else's")
    files.remove_abandoned(tmp_path)
    assert not abandoned.exists()
    assert sorted(tmp_path.iterdir()) == [alive, other]


def test_those_who_leave_at_once_leave_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stopped():
        with files.whole(path) as part:
            part.write_text("half")
            files.remove_unfinished()
            assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]

    with pytest.raises(FileNotFoundError):
        stopped()
    assert path.read_text() == "old"


def test_a_folder_goes_though_threads_still_write_into_it(tmp_path, monkeypatch):
    left = [True, True, False, True]  # whether a file comes while the folder is looked for again

    def failed():
        with files.whole_folder(tmp_path / "a") as part:

            def late(seconds):
                if left and left.pop():
                    (part / "b").mkdir(parents=True, exist_ok=True)
                    (part / "b" / "c").write_text("late")

            monkeypatch.setattr(files, "time", SimpleNamespace(sleep=late))
            late(0.0)
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        failed()
    assert not left
    assert not list(tmp_path.iterdir())


FORKED = """
import multiprocessing, sys
import coldspot as cs
dot = cs.machines.QuantumDot()
print(float(cs.steady_state(dot).heat["left"]))

def made(level):
    try:
        return cs.machines.QuantumDot(level=level).level
    except RuntimeError as error:
        return str(error)

def solved(level):
    try:
        return cs.steady_state(dot).heat["left"]
    except RuntimeError as error:
        return str(error)

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(made, [1.0]), pool.map(solved, [1.0]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_is_told_so_instead_of_hanging():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.count("cannot work in a forked process") == 2
    assert done.stdout.count('get_context("spawn")') == 2
