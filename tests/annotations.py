"""How annotations are checked in tests: by beartype, an int being as good as a float."""

import typer
from beartype import BeartypeConf, FrozenDict, beartype

checked = beartype(
    conf=BeartypeConf(
        is_pep484_tower=True,
        # Typer asks for an annotation that the object which it then hands over does not have.
        hint_overrides=FrozenDict({typer.Context: object}),
    )
)
