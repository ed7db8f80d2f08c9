"""Compiled programs are kept where the user wants them, or not at all; never an error."""

import os
import subprocess
import sys

CODE = "import coldspot as cs, jax; print(jax.config.jax_compilation_cache_dir); {more}"
# However fast the processor: by default a program that compiles in less than a tenth of a second is not worth keeping.
SOLVE = "cs.kept_programs.keep(longer_than=0.0); cs.steady_state(cs.machines.QuantumDot())"


def run(environment: dict[str, str | None], more: str = "") -> tuple[str, str]:
    new = {k: v for k, v in (os.environ | environment).items() if v is not None}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(more=more)], env=new, capture_output=True, text=True, check=True
    )
    return done.stdout.strip(), done.stderr


def test_they_go_to_the_cache_folder(tmp_path):
    """What becomes of damaged ones, `test_program` sees."""
    folder, said = run({"XDG_CACHE_HOME": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": None}, SOLVE)
    assert folder.startswith(str(tmp_path / "coldspot" / "jax-"))
    assert [path for path in (tmp_path / "coldspot").rglob("*") if path.is_file()]
    assert said == ""


def test_the_users_choice_stays(tmp_path):
    chosen = str(tmp_path / "own")
    assert run({"JAX_COMPILATION_CACHE_DIR": chosen}) == (chosen, "")


def test_without_a_place_nothing_is_kept():
    """Below a file, and in a folder that cannot be made."""
    place = {"XDG_CACHE_HOME": "/dev/null", "JAX_COMPILATION_CACHE_DIR": None}
    again = (
        f"import os; os.environ['XDG_CACHE_HOME'] = '/proc/none'; {SOLVE}; print(jax.config.jax_compilation_cache_dir)"
    )
    assert run(place, again) == ("None\nNone", "")
