"""Which files are compressed, and under what names: paths, folders and patterns -> pairs of input and output."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from kmc.encode import FORMATS, Format, format_of
from kmc.errors import KmcFileError, KmcFileNotFoundError, KmcTypeError, KmcValueError

__all__ = ["DEFAULT_MARK", "STILL_ENDING", "PlannedFile", "StrPath", "animation_ending", "plan_files"]

StrPath: TypeAlias = str | os.PathLike[str]

# Before the endings of results that stand beside their originals.
DEFAULT_MARK = "-kmc"
STILL_ENDING = ".png"


@dataclass(frozen=True)
class PlannedFile:
    """A file to compress.

    Attributes
    ----------
    input : Path
    output : Path or None
        None where the input's own format holds no palette, in place.
    animation : Path or None
        In place of `output`, if the input turns out to be an animation.
    original_copy : Path or None
        Where the original is copied if the result is not smaller; None if it stands where it should already.
    """

    input: Path
    output: Path | None
    animation: Path | None
    original_copy: Path | None


def plan_files(
    inputs: StrPath | Iterable[StrPath],
    *,
    output: StrPath | None = None,
    ending: str | None = None,
    in_place: bool = False,
    recursive: bool = False,
) -> list[PlannedFile]:
    """Find the files and name their results; see :func:`kmc.compress_many` for the arguments.

    Returns
    -------
    list of PlannedFile
        Each input once, in the order of `inputs`, those of a folder by name. No two outputs are the same.

    Raises
    ------
    KmcFileNotFoundError
        An input does not exist, or a pattern matches nothing.
    KmcFileError, KmcValueError, KmcTypeError
        A folder without pictures, an ending of no palette format, arguments that exclude each other.
    """
    if in_place and (output is not None or ending is not None):
        raise KmcValueError("in_place=True excludes output and ending; give the one or the others")
    if ending is not None:
        format_of(f"x{ending}")
    folder = None if output is None else Path(output)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise KmcFileError(f"{os.fspath(folder)!r} is a file; results of several pictures need a folder, so name one")
    if folder is not None and not folder.exists() and folder.suffix.lower() in _picture_suffixes():
        raise KmcFileError(
            f"{os.fspath(folder)!r} ends as a picture's name does, and results of several pictures go to a folder; "
            "name a folder, or make this one first"
        )
    results = None if in_place else (folder, (ending,) if ending is not None else _default_endings())
    found = list(dict.fromkeys(_found(_listed(inputs), recursive, results)))
    if in_place:
        targets = [(path, path if _format(path) else None) for path, _ in found]
        return [PlannedFile(path, target, target, None) for path, target in targets]
    return _named(found, folder, ending)


def animation_ending(path: Path) -> str:
    """Give the ending of an animation's result: that of `path`, unless PNG holds it as well or its format does not."""
    file_format = _format(path)
    if file_format is None or file_format.encode_animation is None or file_format is format_of(f"x{STILL_ENDING}"):
        return STILL_ENDING
    return path.suffix.lower()


def _default_endings() -> tuple[str, ...]:
    suffixes = [suffix for file_format in FORMATS if file_format.encode_animation for suffix in file_format.suffixes]
    return tuple(f"{DEFAULT_MARK}{suffix}" for suffix in suffixes)


def _listed(inputs: StrPath | Iterable[StrPath]) -> list[StrPath]:
    if not isinstance(inputs, (str, os.PathLike, Iterable)) or isinstance(inputs, bytes):
        raise KmcTypeError(f"inputs must be paths, got {type(inputs).__name__}; give names of files or folders")
    listed = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    for path in listed:
        if not isinstance(path, (str, os.PathLike)):
            raise KmcTypeError(f"inputs must be paths, got {type(path).__name__}; give names of files or folders")
    return listed


def _found(
    inputs: list[StrPath], recursive: bool, results: tuple[Path | None, tuple[str, ...]] | None
) -> Iterator[tuple[Path, Path]]:
    """Give each picture with its path below the input that it was found by."""
    for name in inputs:
        if not os.path.lexists(name) and glob.has_magic(os.fspath(name)):
            matches = sorted(filter(_ends, glob.glob(os.fspath(name), recursive=True)))  # noqa: PTH207  (absolute ones)
            if not matches:
                raise KmcFileNotFoundError(f"no file matches {os.fspath(name)!r}; check the pattern")
        else:
            matches = [os.fspath(name)]
        for match in matches:
            path = Path(match)
            if not match or not path.is_dir():
                yield path, Path(path.name)
                continue
            pictures = [inside for inside in _pictures_in(path, recursive) if not _is_result(inside, path, results)]
            if not pictures and match == os.fspath(name):
                advice = "name another" if recursive else "name another, or look into its folders too (--recursive)"
                raise KmcFileNotFoundError(f"there is no picture in the folder {match!r}; {advice}")
            yield from ((inside, inside.relative_to(path)) for inside in pictures)


def _pictures_in(folder: Path, recursive: bool) -> list[Path]:
    """Files whose names end as pictures' do, hidden ones left out."""
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        files += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return [file for file in files if file.suffix.lower() in _picture_suffixes() and _ends(file)]


def _ends(path: StrPath) -> bool:
    """Whether reading it comes to an end: pipes and devices may not. Links to nothing fail, and are told."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (of a str as it is)
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


@cache
def _picture_suffixes() -> frozenset[str]:
    suffixes = Image.registered_extensions()
    # Pillow reads text of these kinds only with other programs, or not at all.
    return frozenset(suffix for suffix, name in suffixes.items() if name in Image.OPEN) - {".pdf", ".eps", ".ps"}


def _is_result(path: Path, searched: Path, results: tuple[Path | None, tuple[str, ...]] | None) -> bool:
    """Whether a run before this one wrote the file that was found in the folder `searched`."""
    if results is None:
        return False
    folder, endings = results
    if folder is None:
        ending = next(filter(path.name.endswith, endings), path.name)
        return len(path.name) > len(ending) and ending != path.suffix
    folder = folder.resolve()
    return searched.resolve() in folder.parents and folder in path.resolve().parents


def _named(found: list[tuple[Path, Path]], folder: Path | None, asked: str | None) -> list[PlannedFile]:
    """Name each result after its picture; where two would be one, by the whole name, as in ``photo.jpg.png``."""
    mark = DEFAULT_MARK if folder is None else ""
    ending = f"{mark}{STILL_ENDING}" if asked is None else asked

    def named(path: Path, below: Path, whole: bool) -> Path:
        place = path.parent if folder is None else folder / below.parent
        return place / f"{path.name if whole else path.stem}{ending}"

    uses = Counter(named(path, below, False) for path, below in found)
    taken: dict[Path, Path] = {}
    plans = []
    for path, below in found:
        output = named(path, below, uses[named(path, below, False)] > 1 and path.suffix.lower() != ending)
        if output in taken:
            raise KmcFileError(
                f"{os.fspath(taken[output])!r} and {os.fspath(path)!r} would both become {os.fspath(output)!r}; "
                "compress them in two runs into two folders"
            )
        taken[output] = path
        if output.exists() and output.resolve() == path.resolve():
            raise KmcFileError(
                f"{os.fspath(path)!r} would be replaced by its result; ask for that with --in-place, "
                "or name another folder or ending"
            )
        original_copy = None if folder is None else folder / below
        animation = output
        if asked is None and animation_ending(path) != STILL_ENDING:
            animation = original_copy or path.with_name(f"{path.stem}{mark}{animation_ending(path)}")
            if animation.exists() and animation.resolve() == path.resolve():
                animation = output
        plans.append(PlannedFile(path, output, animation, original_copy))
    return plans


def _format(path: Path) -> Format | None:
    """Give the format of a name that a palette picture may have."""
    try:
        return format_of(path)
    except KmcFileError:
        return None
