"""The report: failing rows, failing writes, one paper alone, unknown papers."""

from dataclasses import replace

import pytest

import coldspot as cs
from coldspot import files
from coldspot.papers import PAPERS, chosen
from coldspot.reproduction.page import Section, page
from coldspot.reproduction.paper import Number
from coldspot.reproduction.report import reproduce


def test_failing_rows_show_in_the_report():
    paper = replace(PAPERS["two-classical-pumps"], figures=())
    text = page([Section(paper, [Number("a wrong one", 1.0, 2.0, 0.1)], [])], "0")
    assert "0 of 1" in text
    assert 'aria-label="no"' in text


def test_a_failing_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def half():
        with files.whole(path) as part:
            part.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        half()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_one_paper_alone(tmp_path, monkeypatch):
    dot = PAPERS["quantum-dot-anomalies"]
    monkeypatch.setitem(PAPERS, dot.name, replace(dot, figures=dot.figures[3:4]))
    rows = reproduce(chosen([dot.name, dot.name]), tmp_path)
    assert {row["paper"] for row in rows} == {dot.name}
    assert len(rows) == len({row["quantity"] for row in rows})


def test_an_unknown_paper_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(cs.InputError, match=r"`quantum-dot`.*`quantum-dot-anomalies`"):
        reproduce(chosen(["quantum-dot"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
