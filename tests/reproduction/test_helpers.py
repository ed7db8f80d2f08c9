"""Parts of papers on two processes: who takes which, what comes back, what is raised."""

import os
import time
from pathlib import Path

import pytest

from coldspot.papers import PAPERS
from coldspot.reproduction.helpers import Shares, spread
from coldspot.reproduction.paper import Number, Paper
from coldspot.reproduction.parts import Part, parts_of

MEETING = "COLDSPOT_TEST_MEETING"


def meet(name: str) -> None:
    """Returns when two processes are here at the same time."""
    folder = Path(os.environ[MEETING]) / name
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    until = time.monotonic() + 300
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)


def both() -> list[Number]:
    meet("first")
    return [Number("process", 0.0, os.getpid(), 0.0)]


def failing() -> list[Number]:
    meet("second")
    if os.environ["PYTEST_PROCESS"] != str(os.getpid()):
        raise ValueError("the other process")
    return []


def paper(name: str, check) -> Paper:
    return Paper(name, name, "nobody", "", (), check)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(MEETING, str(tmp_path))
    monkeypatch.setenv("PYTEST_PROCESS", str(os.getpid()))
    return tmp_path


def test_two_processes_do_the_parts_and_errors_are_raised_here(folder):
    rows = [parts_of(paper(name, check), folder) for name, check in (("a", both), ("b", both))]
    found = {row: done.numbers[0].computed for row, _, done in spread(rows, 2)}
    assert len(set(found.values())) == 2
    assert os.getpid() in found.values()
    with pytest.raises(ValueError, match="the other process"):
        list(spread([parts_of(paper("c", failing), folder), parts_of(paper("d", failing), folder)], 2))


def test_papers_stay_with_those_who_began_them():
    papers = list(PAPERS.values())[:2]
    rows = [[Part(paper, None, Path())] * count for paper, count in zip(papers, (3, 5), strict=True)]
    shares = Shares(rows)
    assert shares.take(None) == (1, 0)  # the largest one
    assert shares.take(None) == (0, 0)  # the one that nobody has begun
    assert [shares.take(0) for _ in range(2)] == [(0, 1), (0, 2)]
    assert shares.take(0) == (1, 4)  # the last part of the other one's paper
    assert [shares.take(1) for _ in range(3)] == [(1, 1), (1, 2), (1, 3)]
    assert shares.take(1) is None
    assert shares.take(0) is None
