"""Options of the compiler: a release that lacks one of them loses that one alone."""

from coldspot import compiler


def test_an_option_that_this_release_lacks_costs_the_others_nothing():
    known = compiler.preferences(xla_backend_optimization_level=0)
    assert known == compiler.preferences(xla_backend_optimization_level=0, xla_no_such_option=True)
    assert known["xla_backend_optimization_level"] == 0
    assert not compiler.is_known("xla_no_such_option", True)
