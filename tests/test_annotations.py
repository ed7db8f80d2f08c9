"""Under test, annotations are checked: kinds and shapes of arguments and results, also of functions in functions."""

import equinox as eqx
import jaxtyping
import numpy as np
import pytest
from jaxtyping import Float

import coldspot as cs
from coldspot.jump import gth
from tests.annotations import jaxtyped


@jaxtyped(typechecker=None)
def product(a: Float[np.ndarray, "n m"], b: Float[np.ndarray, " m"], short: bool = False) -> Float[np.ndarray, " n"]:
    return (a @ b)[1:] if short else a @ b


@jaxtyped(typechecker=None)
class Pair(eqx.Module):
    first: Float[np.ndarray, " n"]
    second: Float[np.ndarray, " n"]


def refused(function, *args, **keywords) -> bool:
    """Whether an annotation complains."""
    try:
        function(*args, **keywords)
    except Exception as error:
        return type(error).__module__.startswith("beartype")
    return False


def test_shapes_of_arguments_and_results_are_checked_together():
    assert np.all(product(np.ones((2, 3)), np.ones(3)) == 3.0)
    assert refused(product, np.ones((2, 3)), np.ones(2))
    assert refused(product, np.ones((2, 3)), np.ones(3), short=True)
    assert refused(product, np.ones((2, 3)), np.ones(3), short="no")
    assert refused(product, np.ones((2, 3)), np.ones(3, int))


def test_fields_of_classes_are_checked():
    assert np.all(Pair(np.ones(2), second=np.ones(2)).first == 1.0)
    assert refused(Pair, np.ones(2), np.ones(3))
    assert refused(Pair, 1.0, np.ones(2))


def test_the_package_is_checked():
    assert refused(gth.eliminate_rates, np.ones((2, 3)))
    assert refused(cs.Solution, *([0.0] * 12))
    assert refused(cs.sweep, cs.machines.QuantumDot(), {"level": [0.0]}, tolerance="fine")


def test_functions_inside_functions_are_checked():
    @jaxtyped(typechecker=None)
    def outer(number: float):
        @jaxtyped(typechecker=None)
        def inner(x: int) -> float:
            return number * x

        return inner

    assert outer(2.0)(3) == 6.0
    assert outer(3.0)(3) == 9.0
    assert refused(outer(2.0), 3.5)
    assert refused(outer, "two")


def test_what_users_give_is_left_to_coldspot():
    def user():
        assert jaxtyping.config.jaxtyping_disable
        product(np.ones((2, 3)), np.ones(3, int))
        raise cs.InputError("in words")

    with pytest.raises(cs.InputError):
        user()
    assert not jaxtyping.config.jaxtyping_disable
