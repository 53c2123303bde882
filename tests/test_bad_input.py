"""Bad input gets one sentence that says what came, and leaves no file behind.

Every case goes through the Python API and, where a file or an option can be as bad, through the
command line.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from pictures import file_bytes, gradient, noise
from PIL import Image

import kmc
from kmc import cli, encode
from kmc.errors import (
    KmcError,
    KmcFileError,
    KmcFileNotFoundError,
    KmcTypeError,
    KmcValueError,
)


def check_sentence(message, *words):
    """One line with every one of the words, as regular expressions, in it."""
    assert "\n" not in message
    assert message == message.strip()
    assert len(message) < 400
    assert message[-1] not in ".;"
    for word in words:
        assert re.search(word, message), f"{word!r} is not in {message!r}"


def check_raises(kind, words, function, *arguments, **options):
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    assert isinstance(caught.value, KmcError)
    assert isinstance(caught.value, ValueError | TypeError)
    check_sentence(str(caught.value), *words)


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder):
    path = folder / "photo.png"
    path.write_bytes(file_bytes(gradient(20, 30)))
    return path


@pytest.fixture
def check_command(folder, capsys):
    """Run a command that must fail, say why in one line, print nothing and change no file."""

    def check(arguments, words, exit_code=1):
        before = snapshot(folder)
        try:
            found = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            found = stop.code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("kmc: ")
        assert err.endswith("\n")
        check_sentence(err[:-1], *words)
        assert found == exit_code
        assert snapshot(folder) == before

    return check


# The number of colours

BAD_K = {
    "0": (0, KmcValueError, ["k ", r"\b0\b", "1"]),
    "-1": (-1, KmcValueError, ["k ", "-1", "1"]),
    "70000": (70000, KmcValueError, ["k ", "70000", "65536"]),
    "2.5": (2.5, KmcTypeError, ["k ", "2.5", "whole number"]),
    "many": ("many", KmcTypeError, ["k ", "'many'", "whole number"]),
    "true": (True, KmcTypeError, ["k ", "True"]),
    "nan": (float("nan"), KmcTypeError, ["k ", "nan"]),
    "array": (np.array([3, 4]), KmcTypeError, ["k ", "3"]),
}


@pytest.mark.parametrize(("k", "kind", "words"), BAD_K.values(), ids=BAD_K)
def test_k(k, kind, words):
    check_raises(kind, words, kmc.compress, gradient(8, 8), k)


@pytest.mark.parametrize(("k", "kind", "words"), BAD_K.values(), ids=BAD_K)
def test_k_of_kmeans(k, kind, words):
    if kind is KmcValueError and k > 64:
        words = ["k ", "70000", "64"]  # no more clusters than points
    check_raises(kind, words, kmc.kmeans, np.random.default_rng(0).random((64, 3)), k)


@pytest.mark.parametrize(
    ("k", "words", "exit_code"),
    [
        ("0", ["k is 0", "1 to 256"], 1),
        ("-1", ["k is -1", "1 to 256"], 1),
        ("257", ["k is 257", "1 to 256"], 1),
        ("70000", ["k is 70000", "1 to 256"], 1),
        ("2.5", ["-k", "'2.5' is not a whole number"], 2),
        ("many", ["-k", "'many' is not a whole number"], 2),
        ("", ["-k", "'' is not a whole number"], 2),
    ],
)
def test_k_of_the_command(check_command, photo, k, words, exit_code):
    check_command(["compress", photo, "-k", k, "-o", "out.png"], words, exit_code)


# Arrays

NAN, INFINITY = float("nan"), float("inf")


def floats_with(value):
    array = np.full((4, 5, 3), 0.5)
    array[2, 3, 1] = value
    return array


BAD_ARRAYS = {
    "empty": (np.array([], dtype=np.uint8), KmcValueError, ["no pixels", r"\(0,\)"]),
    "no rows": (np.empty((0, 5, 3), np.uint8), KmcValueError, ["no pixels", r"\(0, 5, 3\)"]),
    "no columns": (np.empty((5, 0), np.uint8), KmcValueError, ["no pixels", r"\(5, 0\)"]),
    "no channels": (np.empty((5, 5, 0), np.uint8), KmcValueError, ["no pixels"]),
    "NaN": (floats_with(NAN), KmcValueError, ["NaN", r"\[0, 1\]"]),
    "infinity": (floats_with(INFINITY), KmcValueError, ["infinity", r"\[0, 1\]"]),
    "-infinity": (floats_with(-INFINITY), KmcValueError, ["infinity", r"\[0, 1\]"]),
    "floats to 255": (floats_with(255.0), KmcValueError, ["255", r"\[0, 1\]", "divide by 255"]),
    "floats below 0": (floats_with(-0.25), KmcValueError, ["-0.25", r"\[0, 1\]"]),
    "float16 above 1": (floats_with(2).astype(np.float16), KmcValueError, [r"holds 2\b"]),
    "0 dimensions": (np.array(7, dtype=np.uint8), KmcValueError, ["0 dimensions"]),
    "1 dimension": (np.zeros(12, np.uint8), KmcValueError, ["1 dimension;", r"\(12,\)"]),
    "4 dimensions": (np.zeros((2, 4, 4, 3), np.uint8), KmcValueError, ["4 dimensions"]),
    "2 channels": (np.zeros((4, 4, 2), np.uint8), KmcValueError, ["2 channels", "1, 3 or 4"]),
    "5 channels": (
        np.zeros((4, 4, 5), np.uint8),
        KmcValueError,
        ["5 channels", "1, 3 or 4", "drop"],
    ),
    "channels first": (np.zeros((3, 8, 9), np.uint8), KmcValueError, ["9 channels", "moveaxis"]),
    "int64": (np.zeros((4, 4, 3), np.int64), KmcTypeError, ["int64", r"\.astype\(numpy\.uint8\)"]),
    "int8": (np.zeros((4, 4), np.int8), KmcTypeError, ["int8", "uint8"]),
    "uint32": (np.zeros((4, 4), np.uint32), KmcTypeError, ["uint32", "uint16"]),
    "complex": (np.zeros((4, 4, 3), complex), KmcTypeError, ["complex128", "uint8"]),
    "object": (np.full((4, 4), None), KmcTypeError, ["object", "uint8"]),
    "text": (np.full((4, 4), "x"), KmcTypeError, ["<U1", "uint8"]),
    "dates": (np.zeros((4, 4), "datetime64[s]"), KmcTypeError, ["datetime64", "uint8"]),
    "records": (np.zeros((4, 4), [("r", "u1")]), KmcTypeError, ["uint8"]),
}
if np.finfo(np.longdouble).bits > 64:
    long_double = np.zeros((4, 4), np.longdouble)
    BAD_ARRAYS["long double"] = (long_double, KmcTypeError, ["longdouble|float128|float96", "64"])


@pytest.mark.parametrize(("array", "kind", "words"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_arrays(array, kind, words):
    check_raises(kind, ["image", *words], kmc.compress, array, 4)


@pytest.mark.parametrize("name", ["empty", "NaN", "5 channels", "object", "int64"])
def test_arrays_to_evaluate(name):
    array, kind, words = BAD_ARRAYS[name]
    check_raises(kind, ["original", *words], kmc.evaluate, array, gradient(4, 4))
    check_raises(kind, ["compressed", *words], kmc.evaluate, gradient(4, 4), array)


class Unwilling:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("lives on another device.\nCopy it first.")


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (None, ["NoneType", "path"]),
        (17, ["int", "path"]),
        ([[[1, 2, 3]]], ["list", r"numpy\.asarray"]),
        ({"a": 1}, ["dict", "path"]),
        (Unwilling(), ["Unwilling", r"another device\. Copy it first\b", "main memory"]),
    ],
    ids=["None", "int", "list", "dict", "unwilling"],
)
def test_things_that_are_no_pictures(thing, words):
    check_raises(KmcTypeError, ["image", *words], kmc.compress, thing, 4)


def test_no_memory_for_the_array_of_a_foreign_object():
    class Huge:
        def __array__(self, dtype=None, copy=None):
            raise MemoryError

    with pytest.raises(MemoryError):
        kmc.compress(Huge(), 4)


def test_pil_images(folder):
    check_raises(KmcValueError, ["no pixels"], kmc.compress, Image.new("RGB", (0, 3)), 4)
    image = Image.new("I", (2, 2), 70000)
    check_raises(KmcValueError, ["70000", "65535"], kmc.compress, image, 4)
    image = Image.fromarray(np.full((2, 2), 3, dtype=np.float32))
    check_raises(KmcValueError, [r"holds 3\b", r"\[0, 1\]"], kmc.compress, image, 4)
    truncated = Image.open(io.BytesIO(file_bytes(noise(50, 50))[:2000]))
    check_raises(KmcFileError, ["image cannot be read", "truncated"], kmc.compress, truncated, 4)


# Files that hold no picture


def truncated_png(folder):
    (folder / "bad.png").write_bytes(file_bytes(noise(50, 50))[:2000])
    return folder / "bad.png", KmcFileError, ["bad.png'", "truncated|incomplete"]


def png_header_alone(folder):
    (folder / "bad.png").write_bytes(file_bytes(noise(50, 50))[:20])
    return folder / "bad.png", KmcFileError, ["bad.png'", "damaged"]


def damaged_png(folder):
    data = bytearray(file_bytes(noise(50, 50)))
    data[1000:1100] = bytes(100)
    (folder / "bad.png").write_bytes(data)
    return folder / "bad.png", KmcFileError, ["bad.png'", "damaged"]


def truncated_jpeg(folder):
    (folder / "bad.jpg").write_bytes(file_bytes(noise(50, 50), "JPEG")[:1000])
    return folder / "bad.jpg", KmcFileError, ["bad.jpg'", "truncated"]


def text_named_png(folder):
    (folder / "bad.png").write_text("This is no picture.\n" * 10)
    return folder / "bad.png", KmcFileError, ["bad.png'", "not a picture"]


def empty_file(folder):
    (folder / "bad.png").write_bytes(b"")
    return folder / "bad.png", KmcFileError, ["bad.png'", r"empty \(0 bytes\)"]


def missing_file(folder):
    return folder / "missing.png", KmcFileNotFoundError, ["missing.png'", "does not exist"]


def no_name(folder):
    return "", KmcFileNotFoundError, ["''", "does not exist"]


def directory(folder):
    (folder / "folder.png").mkdir()
    # Windows does not say that it is one.
    return folder / "folder.png", KmcFileError, ["folder.png'", "directory|cannot be opened"]


def below_a_file(folder):
    (folder / "file").write_text("")
    return folder / "file" / "x.png", KmcFileError, ["x.png'", "cannot be opened|not exist"]


def name_with_line_breaks(folder):
    return folder / "a\nb.png", KmcFileError, [r"a\\nb\.png'"]


BAD_FILES = [
    truncated_png,
    png_header_alone,
    damaged_png,
    truncated_jpeg,
    text_named_png,
    empty_file,
    missing_file,
    no_name,
    directory,
    below_a_file,
    name_with_line_breaks,
]


@pytest.mark.parametrize("make", BAD_FILES)
def test_files(make, folder):
    path, kind, words = make(folder)
    check_raises(kind, words, kmc.compress, path, 4)
    check_raises(kind, words, kmc.compress, os.fspath(path), 4)
    check_raises(kind, words, kmc.evaluate, path, gradient(4, 4))
    check_raises(kind, words, kmc.evaluate, gradient(4, 4), path)


@pytest.mark.parametrize("make", BAD_FILES)
def test_files_given_to_the_command(make, folder, photo, check_command):
    path, _, words = make(folder)
    if make is not directory:  # those are for folders of pictures
        check_command(["compress", path, "-o", "out.png"], words)
    check_command(["evaluate", path, photo], words)
    check_command(["evaluate", photo, path], words)
    if path and make is not directory:
        check_command(["compress", path], words)


def test_a_folder_without_pictures_given_to_the_command(folder, check_command):
    (folder / "empty").mkdir()
    check_command(["compress", folder / "empty"], ["empty'", "no picture in the folder", "--recursive"])


@pytest.mark.parametrize("make", [truncated_png, text_named_png, empty_file])
def test_bytes_and_open_files(make, folder):
    path, kind, _ = make(folder)
    check_raises(kind, ["^image "], kmc.compress, path.read_bytes(), 4)
    with path.open("rb") as file:
        check_raises(kind, [r"bad\.png'"], kmc.compress, file, 4)


def test_a_null_character_in_a_path():
    check_raises(KmcFileError, [r"a\\x00b", "null"], kmc.compress, "a\0b.png", 4)


def test_a_file_that_may_not_be_read(photo, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied", str(photo))

    monkeypatch.setattr("builtins.open", refuse)
    check_raises(KmcFileError, ["photo.png'", "Permission denied"], kmc.compress, photo, 4)


# Places and formats that cannot hold the result


def output_below_a_file(folder):
    (folder / "file").write_text("")
    return folder / "file" / "out.png", ["out.png'", "does not exist"]


def output_in_a_missing_folder(folder):
    return folder / "missing" / "out.png", ["out.png'", "missing'", "does not exist"]


def output_in_a_protected_folder(folder):
    (folder / "protected").mkdir()
    return folder / "protected" / "out.png", ["out.png'", "protected'", "write-protected"]


def output_jpeg(folder):
    return folder / "out.jpg", ["out.jpg'", r"cannot hold a palette as '\.jpg'", r"\.png"]


def output_without_ending(folder):
    return folder / "out", ["out'", "has no ending", r"\.png"]


BAD_OUTPUTS = [
    output_below_a_file,
    output_in_a_missing_folder,
    output_in_a_protected_folder,
    output_jpeg,
    output_without_ending,
]


@pytest.fixture
def no_rights(monkeypatch):
    """Folders named "protected" cannot be written, not even by root."""
    ask = os.access
    monkeypatch.setattr(encode.os, "access", lambda path, mode: path.name != "protected" and ask(path, mode))


@pytest.mark.parametrize("make", BAD_OUTPUTS)
def test_outputs(make, folder, no_rights):
    path, words = make(folder)
    compressed = kmc.compress(gradient(8, 8), 4)
    before = snapshot(folder)
    check_raises(KmcFileError, words, compressed.save, path)
    assert snapshot(folder) == before


@pytest.mark.parametrize("make", BAD_OUTPUTS)
def test_outputs_of_the_command(make, folder, photo, no_rights, check_command, monkeypatch):
    path, words = make(folder)
    monkeypatch.setattr("kmc.api.compress", None)  # it is found out before the work
    check_command(["compress", photo, "-o", path], words)


def test_a_palette_too_large_for_the_format(folder):
    compressed = kmc.compress(noise(40, 40), 300)
    assert len(compressed.palette) == 300
    words = ["300 colours", "at most 256"]
    check_raises(KmcValueError, words, compressed.save, folder / "out.png")
    check_raises(KmcValueError, words, compressed.to_bytes)
    assert snapshot(folder) == {}


def test_a_full_disk_keeps_the_old_file(photo, check_command, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encode.os, "fsync", fail)
    check_command(["compress", photo, "-o", photo], ["photo.png'", "No space left on device"])


# The other arguments

BAD_OPTIONS = [
    ({"num_iterations": -1}, KmcValueError, ["num_iterations", "-1"]),
    ({"num_iterations": 1.5}, KmcTypeError, ["num_iterations", "1.5"]),
    ({"init": "best"}, KmcValueError, ["init", "'best'", "random"]),
    ({"seed": -1}, KmcValueError, ["seed", "-1"]),
    ({"seed": "x"}, KmcTypeError, ["seed", "'x'"]),
    ({"threads": 0}, KmcValueError, ["threads", "0"]),
    ({"threads": "all"}, KmcTypeError, ["threads", "'all'"]),
    ({"downsample": 0.5}, KmcValueError, ["downsample", "0.5"]),
    ({"downsample": "4"}, KmcValueError, ["downsample", "'4'", "MP"]),
    ({"downsample": [4]}, KmcTypeError, ["downsample", "MP"]),
]


@pytest.mark.parametrize(("options", "kind", "words"), BAD_OPTIONS, ids=lambda value: str(value))
def test_options(options, kind, words):
    check_raises(kind, words, kmc.compress, gradient(8, 8), 4, **options)


@pytest.mark.parametrize(
    ("arguments", "words", "exit_code"),
    [
        (["--num-iterations", "-1"], ["num_iterations", "-1"], 1),
        (["--num-iterations", "x"], ["--num-iterations", "'x' is not a whole number"], 2),
        (["--init", "best"], ["--init", "best", "random"], 2),
        (["--seed", "-1"], ["seed", "-1"], 1),
        (["--seed", "1.0"], ["--seed", "'1.0' is not a whole number"], 2),
        (["--threads", "0"], ["threads", "0"], 1),
        (["--threads", "all"], ["--threads", "'all'"], 2),
        (["--downsample", "0.5"], ["downsample", "0.5"], 1),
        (["--downsample", "big"], ["downsample", "'big'", "MP"], 1),
        (["--downsample", "nan"], ["downsample", "nan"], 1),
        (["--wrong"], ["--wrong", "--help"], 2),
    ],
)
def test_options_of_the_command(photo, check_command, arguments, words, exit_code):
    check_command(["compress", photo, "-o", "out.png", *arguments], words, exit_code)


def test_pictures_of_two_sizes(folder, photo, check_command):
    words = ["20", "30", "31"]
    check_raises(KmcValueError, words, kmc.evaluate, gradient(20, 30), gradient(20, 31))
    (folder / "other.png").write_bytes(file_bytes(gradient(20, 31)))
    check_command(["evaluate", photo, "other.png"], words)


# kmc.kmeans

POINTS = np.random.default_rng(0).random((10, 3))

BAD_WEIGHTS = {
    "negative": ([1] * 9 + [-2], KmcValueError, ["weights", "-2"]),
    "all zero": ([0] * 10, KmcValueError, ["weights", "zero"]),
    "too few": ([1] * 9, KmcValueError, ["weights", "10", "9"]),
    "too many": ([1] * 11, KmcValueError, ["weights", "10", "11"]),
    "two dimensions": (np.ones((10, 1)), KmcValueError, ["weights", r"\(10, 1\)"]),
    "NaN": ([1] * 9 + [NAN], KmcValueError, ["weights", "NaN"]),
    "infinity": ([1] * 9 + [INFINITY], KmcValueError, ["weights", "infinity"]),
    "text": (["x"] * 10, KmcTypeError, ["weights", "U1"]),
    "object": ([None] * 10, KmcTypeError, ["weights", "object"]),
    "complex": ([1j] * 10, KmcTypeError, ["weights", "complex"]),
}


@pytest.mark.parametrize(("weights", "kind", "words"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights(weights, kind, words):
    check_raises(kind, words, kmc.kmeans, POINTS, 3, weights=weights)


def test_more_clusters_than_points():
    check_raises(KmcValueError, ["k ", "11", "10"], kmc.kmeans, POINTS, 11)
    check_raises(KmcValueError, ["k ", "11", "10"], kmc.kmeans, POINTS, 11, weights=np.ones(10))


@pytest.mark.parametrize(
    ("points", "kind", "words"),
    [
        (np.empty((0, 3)), KmcValueError, ["points", r"\(0, 3\)"]),
        (np.empty((3, 0)), KmcValueError, ["points", r"\(3, 0\)"]),
        (np.zeros(5), KmcValueError, ["points", r"\(5,\)"]),
        (np.zeros((2, 2, 2)), KmcValueError, ["points", r"\(2, 2, 2\)"]),
        (np.full((5, 2), NAN), KmcValueError, ["points", "NaN"]),
        (np.full((5, 2), INFINITY), KmcValueError, ["points", "infinity"]),
        (np.full((5, 2), None), KmcTypeError, ["points", "object"]),
        (np.full((5, 2), 1j), KmcTypeError, ["points", "complex"]),
        ([[1, 2], [3]], KmcTypeError, ["points", "list"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_points(points, kind, words):
    check_raises(kind, words, kmc.kmeans, points, 1)


# A process of its own


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["compress", "missing.png", "-o", "out.png"], 1),
        (["compress", "photo.png", "-k", "0", "-o", "out.png"], 1),
        (["compress", "photo.png", "-k", "many", "-o", "out.png"], 2),
        (["evaluate", "photo.png", "missing.png"], 1),
        ([], 2),
    ],
)
def test_a_process_prints_one_line_and_no_traceback(folder, photo, arguments, exit_code):
    before = snapshot(folder)
    done = subprocess.run(
        [sys.executable, "-m", "kmc", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == exit_code
    assert done.stdout == ""
    assert done.stderr.startswith("kmc: ")
    assert done.stderr.count("\n") == 1
    assert snapshot(folder) == before
