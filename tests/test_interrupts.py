"""What is the program `coldspot`, and what is a program of somebody's own."""

import pytest

from coldspot import interrupts


@pytest.mark.parametrize(
    ("arguments", "is_ours"),
    [
        (["/usr/bin/coldspot", "solve"], True),
        (["/somewhere/coldspot/__main__.py", "reproduce"], True),  # `python -m coldspot`, once it runs
        (["/somewhere/other/__main__.py"], False),
        (["my_coldspot.py"], False),
        ([""], False),
        ([], False),
    ],
)
def test_the_program_knows_itself(monkeypatch, arguments, is_ours):
    monkeypatch.setattr("sys.argv", arguments)
    assert interrupts.is_program() is is_ours
