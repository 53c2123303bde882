"""The package: what ``import kmc`` loads and has, and Ctrl-C while the command loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kmc

INIT = Path(kmc.__file__)


def python(program: str) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path.insert(0, {str(INIT.parents[1])!r})\n"
    return subprocess.run([sys.executable, "-c", start + program], capture_output=True, text=True, check=False)


def test_help_and_wrong_usage_load_neither_numpy_nor_pillow() -> None:
    done = python("""
from contextlib import suppress
from kmc.cli import main
for arguments in (["--help"], ["compress", "--help"], ["compress"], ["report", "a.png", "-k", "many"]):
    with suppress(SystemExit):
        main(arguments)
print(sorted({"numpy", "PIL", "kmc._kernels", "kmc.api"} & set(sys.modules)))
""")
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_each_name_is_loaded_from_where_type_checkers_find_it() -> None:
    found = {
        name.name: node.module
        for node in ast.walk(ast.parse(INIT.read_text()))
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    for name in set(kmc.__all__) - {"__version__"}:
        assert kmc._HOMES[name] == found[name]
        assert getattr(kmc, name).__name__ == name
    assert set(kmc._HOMES) == set(kmc.__all__) - {"__version__"} | {"_kernels"}
    assert set(dir(kmc)) == {*kmc.__all__, "errors"}
    with pytest.raises(AttributeError, match="module 'kmc' has no attribute 'kompress'"):
        kmc.kompress  # noqa: B018


def test_a_function_is_not_the_module_of_its_name() -> None:
    done = python("""
import kmc.choose_k, kmc.evaluate, kmc.kmeans
print(all(map(callable, (kmc.choose_k, kmc.evaluate, kmc.kmeans))))
""")
    assert done.stdout == "True\n", done.stderr


def test_the_instruction_set_that_was_asked_for_is_used_whatever_is_loaded_first() -> None:
    done = python("""
import os
os.environ["KMC_ISA"] = "generic"
from kmc.histogram import ColorHistogram
from kmc import _kernels
print(_kernels.instruction_set())
""")
    assert done.stdout == "generic\n", done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to oneself ends the process there")
@pytest.mark.parametrize("module", ["kmc.cli", "numpy", "kmc._kernels"])
def test_ctrl_c_while_the_command_loads(module: str, tmp_path: Path) -> None:
    done = python(f"""
import signal
import kmc.__main__

class Interrupting:
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting)
sys.argv = ["kmc", "compress", {str(tmp_path / "photo.png")!r}]
sys.exit(kmc.__main__.run())
""")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "kmc: interrupted\n")
