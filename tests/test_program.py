"""The program `coldspot` as a process: what it writes where, its exit codes, its cache, and Ctrl-C."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys

import pytest

import coldspot as cs
from tests.test_cli import KEYS, PROVENANCE


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder that several processes share."""
    return tmp_path_factory.mktemp("cache")


def start(*arguments, cache, stdout=subprocess.PIPE, encoding="utf-8"):
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "PYTHONIOENCODING": encoding}
    for name in ("JAX_COMPILATION_CACHE_DIR", "PYTHONUNBUFFERED"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "coldspot", *arguments]
    return subprocess.run(
        command, env=environment, stdout=stdout, stderr=subprocess.PIPE, encoding=encoding, timeout=300, check=False
    )


def test_process_writes_json_alone_and_keeps_what_it_compiled(cache):
    first, second = (start("solve", "quantum-dot", "--json", cache=cache) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert list(json.loads(first.stdout)) == KEYS + PROVENANCE
    assert list((cache / "coldspot").rglob("*cheap_one*"))
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")


def test_damaged_cache_does_no_harm_and_a_terminal_without_greek_letters_gets_question_marks(cache, tmp_path):
    if not (cache / "coldspot").exists():
        start("solve", "quantum-dot", "--json", cache=cache)
    spoilt = shutil.copytree(cache, tmp_path / "spoilt")
    entries = list(spoilt.glob("coldspot/jax-*/*-cache"))
    assert entries
    for entry in entries:
        entry.write_bytes(b"damaged")
    again = start("solve", "quantum-dot", cache=spoilt, encoding="ascii")
    assert (again.returncode, again.stderr) == (0, "")
    assert "(k_B = ? = e = 1)" in again.stdout


def test_reader_that_leaves_early_is_no_error(cache):
    reader, writer = os.pipe()
    os.close(reader)
    found = start("solve", "quantum-dot", cache=cache, stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr) == (141, "")


def test_script_and_module_are_one_program():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="coldspot")
    assert script.value == "coldspot.__main__:main"


def test_full_disk_is_one_line(cache, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no full device")
    # A cache that cannot be is not worth another line.
    (tmp_path / "a-file").write_text("no folder")
    for arguments, place in ((("list",), cache), (("--help",), tmp_path / "a-file")):
        with open("/dev/full", "w") as full:
            found = start(*arguments, cache=place, stdout=full)
        assert (found.returncode, found.stderr.count("\n")) == (2, 1)
        assert found.stderr.startswith("error: cannot write to stdout")


def test_without_home_and_cache_there_is_one_line(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG", "JAX", "MPL"))}
    environment |= {"HOME": "/nowhere/at/all", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "coldspot", "reproduce", "--out", "/dev/null/x"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1), found.stderr


# --------------------------------------------------------------------------- Ctrl-C

# The process interrupts itself just after its first call of a function: by the clock, a busy machine would be
# elsewhere. Python reads this before anything else; helper processes lack the variable.
AT = """
import os, signal, sys, threading, time

file, name, note = os.environ.pop("INTERRUPT_AT", ",,").split(",")


def interrupt():
    time.sleep(0.02)
    with open(note, "w") as out:
        print(time.process_time(), file=out)
    os.kill(os.getpid(), signal.SIGINT)


def called(frame, event, _):
    # Frames of a thread are read by that thread alone: read by another while they run, they end the interpreter.
    if event == "call" and frame.f_code.co_filename.endswith(file) and name in ("", frame.f_code.co_name):
        sys.setprofile(None)
        threading.Thread(target=interrupt, daemon=True).start()


if file:
    sys.setprofile(called)
"""
MOMENTS = {
    "import": (("list",), "/jax/__init__.py", ""),
    "command line": (("solve", "spin-pair"), "/coldspot/cli.py", "run"),
    "compilation": (("solve", "spin-pair"), "/jax/_src/compiler.py", "compile_or_get_cached"),
    # Two papers: with a helper.
    "figures": (("reproduce", "quantum-dot-anomalies", "exceptional-point"), "/coldspot/reproduction/parts.py", "do"),
}


@pytest.mark.skipif(os.name != "posix", reason="signals and processor time as POSIX has them")
@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupts_are_quick_and_one_line(moment, tmp_path):
    import resource

    arguments, *place = MOMENTS[moment]
    out, note = tmp_path / "out", tmp_path / "note"
    arguments = (*arguments, "--out", str(out)) if arguments[0] == "reproduce" else arguments
    (tmp_path / "sitecustomize.py").write_text(AT)
    environment = os.environ | {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "INTERRUPT_AT": ",".join([*place, str(note)]),
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)

    def processor_time():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = processor_time()
    found = subprocess.run(
        [sys.executable, "-m", "coldspot", *arguments], env=environment, capture_output=True, text=True, timeout=300
    )
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "interrupted\n")
    assert processor_time() - before - float(note.read_text()) < 1.5
    assert not list(out.glob(".*.part"))


def test_interrupts_that_come_after_all_is_written_do_nothing():
    code = (
        "import atexit, os, signal, sys, time; sys.argv = ['coldspot', '--version'];"
        "from coldspot.__main__ import main; atexit.register(time.sleep, 1);"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT); main()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (found.returncode, found.stdout, found.stderr) == (0, f"coldspot {cs.__version__}\n", "")
