"""Options of the compiler: a release that lacks one of them loses that one alone."""

import contextlib
import math
import warnings

import jax
import numpy as np
import pytest

import coldspot as cs
from coldspot import compiler


def test_an_option_that_this_release_lacks_costs_the_others_nothing():
    known = compiler.preferences(xla_backend_optimization_level=0)
    assert known == compiler.preferences(xla_backend_optimization_level=0, xla_no_such_option=True)
    assert known["xla_backend_optimization_level"] == 0
    assert not compiler.is_known("xla_no_such_option", True)


def test_with_room_calls_take_no_memory_and_give_it_back():
    """Wherever a piece of the memory of frames ends: calls go up and down there without a page that is new."""
    resource = pytest.importorskip("resource")

    def deep(left):
        return deep(left - 1) if left else [math.hypot(*pair()) for _ in range(100)]

    def pair():
        return 3.0, 4.0

    def new_pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for depth in range(300):
            deep(depth)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    compiler.with_room(new_pages)
    assert compiler.with_room(new_pages) < 200


def built(many):
    """A network of so many states, with shares and given rates, and a chain of so many masses."""
    ends = list(range(many - 1)), list(range(1, many))
    baths = {"fuel": cs.ParticleBath(1.0, 2.0, species="fuel"), "load": cs.WorkReservoir(), "cold": cs.HeatBath(0.7)}
    steps = {"fuel": cs.Share(1.25, 1.0), "load": cs.Share(-0.25)}
    rates = cs.Explicit(np.ones(many - 1), np.full(many - 1, np.exp(1 / 0.7)))
    channels = [cs.Channel(steps, *ends, cs.Glauber(1.0)), cs.Channel("cold", *ends, rates)]
    return cs.JumpNetwork(np.arange(float(many)), baths, channels), cs.OscillatorNetwork.chain(many)


def test_known_numbers_are_looked_at_without_programs_for_each_shape_and_without_warnings():
    built(10)
    made = []

    def note(event, seconds, **more):
        made.extend([more] * event.endswith("backend_compile_duration"))

    jax.monitoring.register_event_duration_secs_listener(note)
    built(11)
    assert not made
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far = [cs.Channel("cold", 1, 2, cs.Explicit(1.0, 2.0))]
        with contextlib.suppress(cs.InputError):
            cs.OscillatorNetwork.chain(3, spring=1e308)
        with contextlib.suppress(cs.InputError):
            cs.JumpNetwork([0.0, 1e308, -1e308], {"cold": cs.HeatBath(1.0)}, far)
