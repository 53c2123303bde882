"""The examples of README.md and of the docstrings run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import kmc
from kmc import cli

README = Path(__file__).parents[1] / "README.md"
MODULES = [info.name for info in pkgutil.walk_packages(kmc.__path__, "kmc.") if "__main__" not in info.name]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.S)


@pytest.fixture
def photo(china: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photo.jpg, other.jpg, film.gif and photos/ with two more in it, which is the current one."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(china[::3, ::-3]).save("other.jpg")
    Image.fromarray(china[::2, ::2]).save("photo.jpg", quality=95)
    frames = [Image.fromarray(china[:90, start : start + 120]) for start in (0, 4, 8)]
    frames[0].save("film.gif", save_all=True, append_images=frames[1:], duration=40, loop=0)
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        Image.fromarray(china[::4, :: 4 * number]).save(f"photos/{number}.png")
    return tmp_path


def test_there_are_examples() -> None:
    assert len(blocks("python")) >= 4
    assert len(blocks("sh")) >= 2


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_examples(number: int, photo: Path) -> None:
    exec(blocks("python")[number], {})


def as_a_shell(word: str) -> list[str]:
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def test_shell_examples(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("kmc ")]
    assert len(commands) >= 3
    for command in commands:
        assert cli.main([name for word in shlex.split(command)[1:] for name in as_a_shell(word)]) == 0
    assert (photo / "small.png").exists()
    assert "psnr" in capsys.readouterr().out


def test_make_targets_of_the_readme_exist() -> None:
    makefile = README.with_name("Makefile").read_text()
    for target in set(re.findall(r"make (\w+)", README.read_text())):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


def test_public_functions_are_documented() -> None:
    for name in kmc.__all__:
        if name != "__version__":
            assert (getattr(kmc, name).__doc__ or "").strip(), name
