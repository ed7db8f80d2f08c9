"""How things print: errors beside numbers, words for flags and statuses, numbers of machines, HTML that is safe."""

import html.parser

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coldspot as cs
from coldspot import printed

EVIL = "<script>alert('&')</script>"


def network():
    return cs.JumpNetwork(
        energies=lambda gate: jnp.array([0.0, 1.5]) * gate["gate"],
        occupations=[0, 1],
        baths={EVIL: cs.ElectronBath(0.8), "hot": cs.ElectronBath(1.25)},
        channels=[cs.Channel(bath, 0, 1, cs.Tunnelling(0.75)) for bath in (EVIL, "hot")],
        drives={"gate": cs.Cosine(0.5, mean=2.0)},
        period=40.0,
    )


class Reader(html.parser.HTMLParser):
    """Collects tags and text; every tag must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


def read(thing):
    reader = Reader()
    reader.feed(thing._repr_html_())
    reader.close()
    assert not reader.open
    assert reader.tags <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "p"}
    assert "color" not in thing._repr_html_()  # light and dark notebooks have their own
    return reader.text


def test_html_shows_the_numbers_and_escapes_the_names():
    net = network()
    s = cs.steady_state(net)
    for thing in (net, net.baths, s, s.ledger, s.error, s.heat):
        assert EVIL in read(thing)
    text = read(net)
    for part in ("0.8", "1.25", "0.75", "drives.gate.mean", "40", "function <lambda>"):
        assert part in text
    assert f"{float(s.heat['hot']):.6g}" in read(s)
    assert "status OK" in read(s)
    for machine in cs.machines.ALL:
        assert machine.name in read(machine())
        read(machine().dynamics())


def test_batches_and_traced_values_print_in_short():
    one = jax.tree.map(np.asarray, cs.steady_state(cs.machines.QuantumDot()))
    batch = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), one)
    batch = eqx.tree_at(lambda s: s.status, batch, np.array([cs.Status.OK, cs.Status.INVALID]))
    assert repr(batch) == "Solution(batch (2,), 1 of 2 points trusted, INVALID 1)"
    assert "INVALID 1" in read(batch)
    assert "batch (2,)" in repr(batch.ledger)
    read(batch.ledger)
    read(batch.heat)

    def traced(level):
        dot = cs.machines.QuantumDot(level=level)
        s = cs.steady_state(dot)
        for thing in (dot, dot.dynamics(), s, s.ledger, s.heat):
            assert "traced" in repr(thing)
            read(thing)
        return s.heat["left"]

    jax.eval_shape(traced, 1.0)


def test_errors_stand_beside_the_numbers():
    s = cs.steady_state(cs.machines.QuantumDot())
    text = repr(s)
    assert f"{float(s.heat['left']):.6g} ± {float(s.error.heat['left']):.0e}" in text
    assert f"work_in {float(s.work_in):.6g} ± {float(s.error.work_in):.0e}" in text
    assert "standard errors" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_standard_errors_are_said_to_be_such():
    s = cs.steady_state(cs.machines.NonlinearOscillatorPair())
    assert f"± {float(s.error.heat['left']):.2g}" in repr(s)
    assert "± are standard errors" in repr(s)
    assert f"drift {float(s.residuals['drift']):.1f} standard errors" in repr(s)


def test_what_is_doubtful_is_said_in_words():
    s = cs.steady_state(cs.machines.QuantumDot())
    wrong = eqx.tree_at(lambda s: s.status, s, jnp.asarray(int(cs.Status.NOT_CONVERGED)))
    assert repr(wrong).endswith(cs.Status.NOT_CONVERGED.advice)
    weak = cs.steady_state(cs.machines.KramersBarrier(friction=0.01))
    assert "flags: weak friction" in repr(weak)
    assert cs.regimes.CAUTIONS["weak friction"] in repr(weak)


@pytest.mark.parametrize("machine", cs.machines.ALL)
def test_every_number_of_a_machine_prints(machine):
    example = machine()
    for path, value in cs.paths.numbers(example).items():
        assert f"{path.split('.')[-1]}={float(value):g}" in repr(example)


def test_long_things_are_cut():
    energies = np.linspace(0.0, 1.0, 50)
    channels = [cs.Channel("a", k, k + 1, cs.Glauber(1.0)) for k in range(49)]
    net = cs.JumpNetwork(energies, {"a": cs.HeatBath(1.0)}, channels)
    assert len(repr(net)) < 1000
    assert "50 numbers" in repr(net)
    assert "rows in all" in read(net)


def test_keys_complete():
    net = network()
    s = cs.steady_state(net)
    assert s.heat._ipython_key_completions_() == list(s.heat)
    assert net.baths._ipython_key_completions_() == list(net.baths)


def test_ledgers_align():
    lines = printed.ledger_text(cs.steady_state(cs.machines.SpinPair()).ledger).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("left")
