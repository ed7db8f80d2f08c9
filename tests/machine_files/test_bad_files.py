"""Every mistake in a file is one line that names the file, the line, the key and the nearest valid key."""

import random

import jax
import pytest

import coldspot as cs
from coldspot.machine_files import toml
from coldspot.machine_files.decode import from_text
from tests.machine_files.test_round_trip import ALL, assert_equal

SPINS = """\
machine = "spin-pair"
unit = "meV"

[parameters]
coupling = 1.0
left.temperature = "4.2 K"
"right.temperature" = 0.3
"""
NETWORK = """\
network = "JumpNetwork"

[parameters]
energies = [0.0, 1.0]

[parameters.baths.hot]
type = "BosonBath"
temperature = 2.0

[parameters.baths.cold]
type = "BosonBath"
temperature = 1.0

[[parameters.channels]]
bath = "hot"
initial = 0
final = 1
kinetics = {type = "Bosonic", gamma = 0.1}

[[parameters.channels]]
bath = "cold"
initial = 0
final = 1
kinetics = {type = "Bosonic", gamma = 0.1}
"""
MISTAKES = {
    # what stands there, what is written instead, line, words of the message
    "machine": (SPINS, '"spin-pair"', '"spinpair"', 1, ["machine `spinpair`", "Did you mean `spin-pair`?"]),
    "unit": (SPINS, '"meV"', '"meW"', 2, ["`unit`", "`meW`", "Did you mean `meV`"]),
    "no energy": (SPINS, '"meV"', '"K"', 2, ["`unit` must be a unit of energy"]),
    "key at the top": (SPINS, "unit", "units", 2, ["key `units`", "Did you mean `unit`?"]),
    "parameter": (SPINS, "coupling", "copling", 5, ["`copling`", "Did you mean `coupling`?"]),
    "nested parameter": (SPINS, "left.temperature", "left.temprature", 6, ["`left.temprature`", "`temperature`"]),
    "quoted parameter": (SPINS, "right.temperature", "right.temprature", 7, ["`right.temprature`", "`temperature`"]),
    "bath": (SPINS, "left", "lefd", 6, ["`lefd`", "Did you mean `left`?"]),
    "value": (SPINS, "coupling = 1.0", "coupling = true", 5, ["`coupling` must be a real number", "True"]),
    "text": (SPINS, "coupling = 1.0", 'coupling = "strong"', 5, ["`coupling` must be a finite number", "strong"]),
    "dimension": (SPINS, "4.2 K", "4.2 ps", 6, ["`left.temperature` must be a temperature", "a time"]),
    "unit of a value": (SPINS, "4.2 K", "4.2 Q", 6, ["unknown unit `Q`"]),
    "domain": (SPINS, "0.3", "-0.3", 7, ["`right`", "`temperature` must be positive", "-0.3"]),
    "list": (SPINS, "1.0", "[1.0, 2.0]", 5, ["`coupling`", "shape"]),
    "twice": (SPINS, '"right.', '"left.', 7, ["`left.temperature` is given twice"]),
    "class": (NETWORK, '"JumpNetwork"', '"JumpNetwrk"', 1, ["network `JumpNetwrk`", "Did you mean `JumpNetwork`?"]),
    "kind of bath": (NETWORK, '"BosonBath"\ntemperature = 2.0', '"BosonBat"\ntemperature = 2.0', 7, ["`BosonBath`?"]),
    "number of a bath": (
        NETWORK,
        "temperature = 1.0",
        "temprature = 1.0",
        12,
        ["`baths.cold.temprature`", "`temperature`"],
    ),
    "kinetics": (NETWORK, 'type = "Bosonic", gamma = 0.1}\n\n', 'type = "Boson", gamma = 0.1}\n\n', 18, ["`Bosonic`?"]),
    "no type": (
        NETWORK,
        'type = "Bosonic", gamma = 0.1}\n\n',
        "gamma = 0.1}\n\n",
        18,
        ["`channels[0].kinetics` needs a `type`"],
    ),
    "state": (
        NETWORK,
        'bath = "cold"\ninitial = 0',
        'bath = "cold"\ninitial = 7',
        22,
        ["`channels[1].initial`", "state 7"],
    ),
    "no such bath": (NETWORK, 'bath = "cold"', 'bath = "cool"', 20, ["bath `cool`", "Did you mean `cold`?"]),
    "missing": (NETWORK, "energies = [0.0, 1.0]\n", "\n", 3, ["JumpNetwork needs `energies`"]),
    "channel": (
        NETWORK,
        'bath = "cold"\ninitial',
        'bath = "cold"\ninitail',
        22,
        ["`channels[1].initail`", "`initial`?"],
    ),
    "module": (NETWORK, "[0.0, 1.0]", '{function = "no_such_module:f"}', 4, ["`energies`", "`no_such_module`"]),
    "name in a module": (NETWORK, "[0.0, 1.0]", '{function = "math:coss"}', 4, ["`math` has no `coss`", "`cos`?"]),
    "no path": (NETWORK, "[0.0, 1.0]", '{function = "lambda x: x"}', 4, ["must be an import path"]),
    "no function of Python": (NETWORK, "[0.0, 1.0]", '{function = "os:system"}', 4, ["function written in Python"]),
    "date": (NETWORK, "[0.0, 1.0]", "2026-01-01", 4, ["`energies` must be a number"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path, name):
    text, old, new, line, words = MISTAKES[name]
    path = tmp_path / "m.toml"
    path.write_text(text)
    cs.load(path)
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(cs.InputError) as info:
        cs.load(path)
    message = str(info.value)
    assert f"m.toml, line {line}: " in message, message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_units_need_the_energy_of_plain_numbers(tmp_path):
    (tmp_path / "m.toml").write_text(SPINS.replace('unit = "meV"\n', ""))
    with pytest.raises(cs.InputError, match=r"line 5: .*write `unit = \"meV\"` at the top"):
        cs.load(tmp_path / "m.toml")


def test_what_is_no_file_of_a_machine_is_refused(tmp_path):
    path = tmp_path / "m.toml"
    for content, words in (
        (b"machine = 1\nmachine = 1\n", "not TOML: .*line 2"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "`machine` or `network` at the top, but gives neither"),
        (b'machine = "spin-pair"\nnetwork = "JumpNetwork"', "gives both"),
        (b"machine = 3", "must be a name"),
        (b'machine = "spin-pair"\nparameters = 3', "must be a table"),
    ):
        path.write_bytes(content)
        with pytest.raises(cs.InputError, match=words):
            cs.load(path)
    with pytest.raises(cs.InputError, match=r"`.*none\.toml` cannot be read"):
        cs.load(tmp_path / "none.toml")
    with pytest.raises(cs.InputError, match="cannot be read"):
        cs.load(tmp_path / "a\0.toml")
    with pytest.raises(cs.InputError, match=r"`\.toml` or `\.nc` or `\.zarr`"):
        cs.load(tmp_path / "m.csv")


def test_keys_that_are_nested_deeper_than_python_goes_and_modules_that_end_the_program_are_refused(tmp_path):
    deep = SPINS.replace("coupling", "coupling" + ".a" * 3000)
    with pytest.raises(cs.InputError, match=r"^deep\.toml.*(nested too deeply|coupling)"):
        from_text(deep, "deep.toml")
    (tmp_path / "script_that_ends.py").write_text("raise SystemExit(7)\n")
    text = NETWORK.replace("[0.0, 1.0]", '{function = "script_that_ends:f"}')
    with pytest.raises(cs.InputError, match=r"`script_that_ends` cannot be imported: it ends the program"):
        from_text(text, "net.toml", tmp_path)


def test_entries_of_lists_are_parameters_too():
    text = 'machine = "tests.machine_files.laws:Mixed"\n[parameters]\n"levels[1]" = 5.0\n'
    assert from_text(text, "m").machine.levels.tolist() == [0.0, 5.0, 2.0]
    with pytest.raises(cs.InputError, match=r"m, line 3: `levels\[7\]`"):
        from_text(text.replace("[1]", "[7]"), "m")


def test_lines_of_keys():
    text = '# a\n[a]\nb = """\nc = 1\n"""\n"d.e" = {f = 1}\n[[a.g]]\nh = [\n  {i = 1},\n  {i = 2},\n]\n'
    text += "[[a.g]]\n[a.g.j]\nk = 1\n"
    for place, line in (
        (("a", "b"), 3),
        (("a", "d", "e", "f"), 6),
        (("a", "g", 0, "h", 1, "i"), 10),
        (("a", "g", 1, "j", "k"), 14),
        (("a", "c"), 2),
    ):
        assert toml.line_of(text, place) == line, place
    assert toml.line_of(text, ("z",)) is None


def test_damaged_files_give_one_line_or_a_machine():
    """Characters, lines and values of saved files at random places are lost, doubled or replaced."""
    from coldspot.machine_files.document import as_text

    dice = random.Random(2)
    texts = [as_text(machine) for machine in ALL.values()]
    odd = [
        '"x"',
        "-1",
        "1e999",
        "[]",
        "{}",
        "[[1.0]]",
        "nan",
        "inf",
        "true",
        "99999999999999999999",
        '{type = "Cosine"}',
    ]
    refused = []
    for _ in range(250):
        lines = dice.choice(texts).splitlines()
        k = dice.randrange(len(lines))
        damage = dice.randrange(4)
        if damage == 0:
            del lines[k]
        elif damage == 1:
            at = dice.randrange(len(lines[k]) + 1)
            lines[k] = lines[k][:at] + dice.choice('=[]{}".,x0 #') + lines[k][at + dice.randrange(2) :]
        elif damage == 2 and "=" in lines[k]:
            lines[k] = lines[k].partition("=")[0] + "= " + dice.choice(odd)
        else:
            lines[k] = lines[k].replace("0", dice.choice(["", "-", "00", '"0"'])).replace("t", "T", 1)
        try:
            with jax.ensure_compile_time_eval():
                from_text("\n".join(lines), "m")
        except cs.InputError as error:
            refused.append(str(error))
    assert len(refused) > 80
    assert all(message.startswith("m") and "\n" not in message for message in refused)


def test_what_comes_back_from_a_text_is_written_again_as_it_was():
    from coldspot.machine_files.document import as_text

    for machine in ALL.values():
        text = as_text(machine)
        again = from_text(text, "m").machine
        assert as_text(again) == text
        assert_equal(again, machine)
