"""The figures that the benchmarks' README shows are those of the file that the benchmarks wrote."""

from benchmarks import results


def test_the_tables_are_those_of_the_file():
    text = results.README.read_text(encoding="utf-8")
    assert results.redrawn(text) == text
