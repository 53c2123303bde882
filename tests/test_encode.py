"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from kmc import encode
from kmc.encode import check_target, format_of, write_atomically
from kmc.errors import KmcFileError, KmcFileNotFoundError


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "folder.jpg/a.b.Png"])
def test_the_format_follows_from_the_ending(name):
    assert format_of(name).name == "PNG"


@pytest.mark.parametrize("name", ["a.jpg", "a.avif", "a", ".png", "a.png.bak", ""])
def test_formats_that_cannot_hold_a_palette(name):
    with pytest.raises(KmcFileError, match=r"\.png") as caught:
        format_of(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


# Writing


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_new_file(tmp_path, kind):
    path = tmp_path / "out.png"
    write_atomically(kind(path), b"new")
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["out.png"]


def test_a_name_of_the_greatest_length(tmp_path):
    path = tmp_path / ("x" * 251 + ".png")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("out.png", b"new")
    assert (tmp_path / "out.png").read_bytes() == b"new"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_of_a_new_file_are_those_of_open(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "out.png", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_permissions_of_a_replaced_file_are_kept(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_replaced(tmp_path, exists):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target.png", tmp_path / "link.png"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names_in(tmp_path / "there") == ["target.png"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_arguments):
        raise error

    if step == "fsync":
        monkeypatch.setattr(encode.os, "fsync", fail)
    else:
        monkeypatch.setattr(encode.Path, "replace", fail)
    expected = KmcFileError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_atomically(path, b"new")
    if expected is KmcFileError:
        assert repr(str(path)) in str(caught.value)
        assert "No space left on device" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out.png"]


def below_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file" / "out.png", "does not exist"


def in_a_missing_folder(tmp_path):
    return tmp_path / "missing" / "out.png", "does not exist"


def a_folder(tmp_path):
    (tmp_path / "folder.png").mkdir()
    return tmp_path / "folder.png", "is a directory"


def a_null_character(tmp_path):
    return tmp_path / "a\0b.png", "cannot be written"


def a_name_too_long(tmp_path):
    return tmp_path / ("x" * 300 + ".png"), "cannot be written"


def a_circle_of_links(tmp_path):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    first.symlink_to(second)
    second.symlink_to(first)
    return first, "not a regular file"


PLACES = [below_a_file, in_a_missing_folder, a_folder, a_null_character, a_name_too_long]
if sys.platform != "win32":
    PLACES.append(a_circle_of_links)


@pytest.mark.parametrize("place", PLACES)
def test_places_that_cannot_be_written(tmp_path, place):
    path, problem = place(tmp_path)
    before = names_in(tmp_path)
    with pytest.raises(KmcFileError, match=problem) as caught:
        write_atomically(path, b"new")
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError) == (problem == "does not exist")
    assert isinstance(caught.value, KmcFileNotFoundError) == (problem == "does not exist")
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("protected", ["file", "folder"])
def test_write_protection(tmp_path, monkeypatch, protected):
    """Asked through os.access, as a test run by root may write anywhere."""
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    denied = path if protected == "file" else tmp_path
    monkeypatch.setattr(encode.os, "access", lambda place, _mode: place != denied)
    with pytest.raises(KmcFileError, match="write-protected"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(KmcFileError, match="not a regular file"):
        check_target(tmp_path / "pipe.png")
