"""How a function is put together again from what was read of it, with other numbers."""

import enum
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple


class Making(NamedTuple):
    """The numbers to put in, and the objects made so far, by their place in the reading."""

    numbers: tuple[Any, ...]
    made: dict[int, Any]


class Part(NamedTuple):
    """Something that was read: its content without the numbers, and how to make it with other numbers."""

    key: Hashable
    make: Callable[[Making], Any]


class Mode(enum.Enum):
    """What becomes of numbers: all are passed on; those that are known stay fixed; or all belong to the content."""

    PASSED = 0
    FIXED = 1
    CONTENT = 2


class Plan:
    """How to make a function from its numbers. Plans are equal if they make the same functions."""

    def __init__(self, part: Part, name: str, mode: Mode, mark: Any, kept: list[Any]):
        self.part, self.name, self.mode, self.mark, self._hash = part, name, mode, mark, hash(part.key)
        self._kept = kept  # identities are known by address, so that what was read must live on

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Plan) and self._hash == other._hash and self.part.key == other.part.key
        )

    def __repr__(self) -> str:
        return self.name

    def make(self, numbers: tuple[Any, ...]) -> Any:
        return self.part.make(Making(numbers, {}))
