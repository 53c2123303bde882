"""load(): every form a picture can come in, and the pixels that it must give."""

from __future__ import annotations

import io
import pathlib
import struct
import threading
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from pictures import file_bytes, gradient, noise, photograph
from PIL import Image

import kmc
from kmc.errors import KmcFileError, KmcTypeError, KmcValueError
from kmc.formats.png_chunks import SIGNATURE, chunk
from kmc.load import Picture, load

SHAPES = [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)]


def array_of(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


def png_file(bit_depth, color_type, rows, *chunks):
    """A PNG file of a kind that Pillow does not write; `rows` are the packed bytes of each row."""
    samples = {0: 1, 2: 3, 3: 1}[color_type]
    width = len(rows[0]) * 8 // (bit_depth * samples)
    header = struct.pack(">IIBBBBB", width, len(rows), bit_depth, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


# Arrays


@pytest.mark.parametrize("shape", SHAPES)
def test_uint8_arrays_are_not_copied(shape):
    array = array_of(shape)
    picture = load(array)
    assert np.shares_memory(picture.pixels, array)
    assert picture.pixels.shape == (5, 7, array.size // 35)
    assert (picture.height, picture.width, picture.channels) == picture.pixels.shape
    assert picture.shape == shape
    assert picture.n_bytes is None
    np.testing.assert_array_equal(picture.pixels.ravel(), array.ravel())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("view", [np.asfortranarray, np.flipud, lambda array: array[::2, ::-1]])
def test_uint8_arrays_that_are_not_contiguous(shape, view):
    array = view(array_of(shape))
    picture = load(array)
    assert picture.pixels.flags.c_contiguous
    np.testing.assert_array_equal(picture.pixels.reshape(array.shape), array)


def test_a_read_only_array_is_taken_as_it_is():
    array = array_of((4, 4, 3))
    array.flags.writeable = False
    assert np.shares_memory(load(array).pixels, array)


@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
def test_uint16_is_divided_by_257_and_rounded(byte_order):
    values = np.arange(65536).reshape(256, 256)
    picture = load(values.astype(byte_order))
    np.testing.assert_array_equal(picture.pixels[..., 0], np.rint(values / 257))
    assert picture.shape == (256, 256)


def test_bool_is_black_and_white():
    array = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(load(array).pixels[..., 0], [[255, 0], [0, 255]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_multiplied_by_255_and_rounded(dtype):
    array = np.random.default_rng(1).random((50, 40, 3)).astype(dtype)
    array[0, 0] = [0, 1, 0.5]
    expected = np.rint(array.astype(np.float64) * 255)
    np.testing.assert_array_equal(load(array).pixels, expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_made_of_8_bits_come_back(dtype):
    array = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(load((array / 255).astype(dtype)).pixels[..., 0], array)


def test_strips_cover_every_row_of_a_large_picture():
    array = np.random.default_rng(2).integers(0, 65536, size=(301, 997, 3), dtype=np.uint16)
    np.testing.assert_array_equal(load(array).pixels, np.rint(array / 257))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_conversion_takes_no_wide_copy(dtype):
    array = np.ones((2000, 1000, 3), dtype=dtype)
    tracemalloc.start()
    load(array)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * array.size  # the result is array.size bytes


class Interface:
    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


class Convertible:
    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


class DLPack:
    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("kind", [Interface, Convertible, DLPack])
@pytest.mark.parametrize("shape", SHAPES)
def test_objects_that_turn_into_arrays_share_their_memory(kind, shape):
    array = array_of(shape)
    picture = load(kind(array))
    assert np.shares_memory(picture.pixels, array)
    assert picture.shape == shape


def test_a_picture_comes_back_as_it_is():
    picture = load(array_of((2, 2)))
    assert load(picture) is picture
    assert isinstance(picture, Picture)


# Files


def path_of(data, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    return path


FORMS = {
    "path": path_of,
    "text": lambda data, tmp_path: str(path_of(data, tmp_path)),
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "BytesIO": lambda data, _: io.BytesIO(data),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_form_of_a_file(form, channels, tmp_path):
    array = noise(6, 9, channels)
    data = file_bytes(array)
    picture = load(FORMS[form](data, tmp_path))
    np.testing.assert_array_equal(picture.pixels.reshape(array.shape), array)
    assert picture.shape == array.shape
    assert picture.n_bytes == len(data)
    assert picture.pixels.flags.c_contiguous


def test_an_open_file_is_read_from_its_start_and_stays_open(tmp_path):
    array = gradient(4, 5)
    with path_of(file_bytes(array), tmp_path).open("rb") as file:
        file.read(7)
        np.testing.assert_array_equal(load(file).pixels, array)
        assert not file.closed


def test_a_stream_that_cannot_seek():
    class Stream:
        def __init__(self, data):
            self._file = io.BytesIO(data)

        def read(self, size=-1):
            return self._file.read(size)

    array = gradient(4, 5)
    data = file_bytes(array)
    picture = load(Stream(data))
    np.testing.assert_array_equal(picture.pixels, array)
    assert picture.n_bytes == len(data)


def test_a_path_of_bytes():
    class BytesPath:
        def __init__(self, path):
            self._path = path

        def __fspath__(self):
            return self._path

    with pytest.raises(KmcFileError, match=r"'nowhere\.png' does not exist"):
        load(BytesPath(b"nowhere.png"))


def test_a_file_opened_as_text(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("nothing")
    with path.open() as file, pytest.raises(KmcTypeError, match=r"picture\.png.* mode 'rb'"):
        load(file)


def test_a_pil_image_has_no_file_size_and_keeps_what_it_holds():
    image = Image.fromarray(gradient(3, 4))
    image.info["transparency"] = (1, 2, 3)
    before = image.tobytes()
    assert load(image).n_bytes is None
    assert image.info == {"transparency": (1, 2, 3)}
    assert image.tobytes() == before


# Orientation: row 0 and column 0 of the stored pixels lie at the sides that EXIF names.

UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],
    7: lambda stored: stored.swapaxes(0, 1)[::-1, ::-1],
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_orientation_is_applied_once(orientation, file_format):
    stored = noise(4, 6)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_bytes(stored, file_format, exif=exif)
    expected = UPRIGHT[orientation](stored)
    picture = load(data)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.shape == expected.shape
    np.testing.assert_array_equal(load(Image.open(io.BytesIO(data))).pixels, expected)


@pytest.mark.parametrize("orientation", [0, 9, 257])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    stored = noise(4, 6)
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(load(file_bytes(stored, exif=exif)).pixels, stored)


@pytest.mark.parametrize(
    "exif",
    [
        b"garbage",
        b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x02\x00\x00\x00\x04abc\x00",  # a text
        b"MM\x00*\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_damaged_exif_data_do_not_matter(exif, file_format):
    stored = noise(4, 6)
    data = file_bytes(stored, file_format, exif=b"Exif\x00\x00" + exif, lossless=True)
    np.testing.assert_array_equal(load(data).pixels, stored)


# Modes


@pytest.mark.parametrize(
    ("mode", "channels", "tolerance"),
    [
        ("1", 1, 0),
        ("L", 1, 0),
        ("RGB", 3, 0),
        ("RGBX", 3, 0),
        ("RGBA", 3, 0),
        ("CMYK", 3, 0),
        ("YCbCr", 3, 4),
        ("HSV", 3, 8),
        ("LAB", 3, 12),
    ],
)
def test_modes_that_hold_a_picture_nearly_unchanged(mode, channels, tolerance):
    array = photograph(16, 20, 3) // 2 + 64  # away from the edges of the gamut
    image = Image.fromarray(array).convert(mode)
    picture = load(image)
    expected = np.asarray(image.convert("L")) if channels == 1 else array
    assert picture.channels == channels
    found = picture.pixels[..., 0] if channels == 1 else picture.pixels[..., :3]
    assert np.abs(found.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("mode", ["LA", "La"])
def test_grey_with_alpha_becomes_rgba(mode):
    grey, alpha = noise(5, 6, 1, seed=1), noise(5, 6, 1, seed=2) | 128
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]).convert(mode)
    picture = load(image)
    assert picture.shape == (5, 6, 4)
    np.testing.assert_array_equal(picture.pixels[..., 3], alpha)
    np.testing.assert_allclose(picture.pixels[..., 0], grey, atol=0 if mode == "LA" else 2)
    np.testing.assert_array_equal(picture.pixels[..., 0], picture.pixels[..., 2])


def test_premultiplied_rgba_becomes_straight():
    array = np.array([[[200, 100, 50, 255], [80, 60, 40, 128]]], dtype=np.uint8)
    picture = load(Image.fromarray(array).convert("RGBa"))
    np.testing.assert_allclose(picture.pixels, array, atol=2)


def test_cmyk_jpeg():
    """In JPEG the samples of CMYK are inverted, as Adobe began it."""
    color = (200, 60, 30)
    image = Image.new("CMYK", (16, 16), (*(255 - sample for sample in color), 0))
    picture = load(file_bytes(image, "JPEG", quality=95))
    assert picture.shape == (16, 16, 3)
    np.testing.assert_allclose(picture.pixels[8, 8], color, atol=4)


def palette_image(colors, transparency=None, mode="RGB"):
    image = Image.fromarray((np.arange(12, dtype=np.uint8) % len(colors)).reshape(3, 4))
    image.putpalette(np.array(colors, dtype=np.uint8).tobytes(), mode)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def test_an_opaque_palette_becomes_rgb():
    colors = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    picture = load(file_bytes(palette_image(colors)))
    np.testing.assert_array_equal(picture.pixels.reshape(-1, 3), colors * 4)


@pytest.mark.parametrize(("transparency", "alphas"), [(b"\x00\x80", [0, 128, 255]), (1, [255, 0, 255])])
@pytest.mark.parametrize("file_format", [None, "PNG"])
def test_a_palette_with_transparency_becomes_rgba(transparency, alphas, file_format):
    colors = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    image = palette_image(colors, transparency)
    picture = load(image if file_format is None else file_bytes(image, file_format))
    np.testing.assert_array_equal(
        picture.pixels.reshape(-1, 4), [[*c, a] for c, a in zip(colors, alphas, strict=True)] * 4
    )


def test_a_palette_of_rgba():
    colors = [[10, 20, 30, 0], [40, 50, 60, 77], [70, 80, 90, 255]]
    picture = load(palette_image(colors, mode="RGBA"))
    np.testing.assert_array_equal(picture.pixels.reshape(-1, 4), colors * 4)


def test_a_gif_gives_its_first_frame():
    frames = [Image.fromarray(np.full((3, 4), value, dtype=np.uint8)) for value in (50, 200)]
    data = file_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.unique(load(data).pixels[..., 0]).tolist() == [50]


# PNG's tRNS chunk for grey and RGB: the one sample value, or colour, that is transparent.


@pytest.mark.parametrize(
    ("bit_depth", "row", "key", "grey"),
    [
        (1, b"\xf0", 1, [255] * 4 + [0] * 4),
        (2, b"\x1b\x1b", 2, [0, 85, 170, 255] * 2),
        (4, b"\x0f\xf5", 15, [0, 255, 255, 85]),
        (8, b"\x00\x05\x0f\xff", 5, [0, 5, 15, 255]),
        (16, b"\x00\x00\x12\x34\x12\x35\xff\xff", 0x1234, [0, 18, 18, 255]),
    ],
)
def test_grey_png_with_a_transparent_value(bit_depth, row, key, grey):
    data = png_file(bit_depth, 0, [row], (b"tRNS", struct.pack(">H", key)))
    pixels = load(data).pixels
    assert pixels.shape == (1, len(grey), 4)
    np.testing.assert_array_equal(pixels[0, :, :3], np.repeat(grey, 3).reshape(-1, 3))
    samples = np.unpackbits(np.frombuffer(row, np.uint8)).reshape(-1, bit_depth)
    samples = samples @ (1 << np.arange(bit_depth)[::-1])
    np.testing.assert_array_equal(pixels[0, :, 3], np.where(samples == key, 0, 255))


def test_rgb_png_with_a_transparent_color():
    row = bytes([1, 2, 3, 4, 5, 6])
    data = png_file(8, 2, [row], (b"tRNS", struct.pack(">3H", 4, 5, 6)))
    np.testing.assert_array_equal(load(data).pixels, [[[1, 2, 3, 255], [4, 5, 6, 0]]])


def test_16_bit_rgb_png():
    samples = [0x0102, 0x8000, 0xFFFF, 0x1234, 0x5678, 0x9ABC]
    row = struct.pack(">6H", *samples)
    upper = np.array(samples).reshape(1, 2, 3) >> 8
    np.testing.assert_array_equal(load(png_file(16, 2, [row])).pixels, upper)
    keyed = png_file(16, 2, [row], (b"tRNS", struct.pack(">3H", *samples[3:])))
    np.testing.assert_array_equal(load(keyed).pixels[0, :, 3], [255, 0])


# Grey of more than 8 bits


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_files(file_format):
    values = np.arange(0, 65536, 257 // 3, dtype=np.uint16)[:765].reshape(15, 51)
    picture = load(file_bytes(values, file_format))
    assert picture.shape == (15, 51)
    np.testing.assert_array_equal(picture.pixels[..., 0], np.rint(values / 257))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_integer_modes_are_16_bit_grey(mode):
    image = Image.new(mode, (3, 2))
    image.putpixel((1, 1), 0x8000)
    image.putpixel((2, 1), 0xFFFF)
    np.testing.assert_array_equal(load(image).pixels[..., 0], [[0, 0, 0], [0, 128, 255]])


def test_float_mode_lies_between_0_and_1():
    array = np.array([[0, 0.5, 1]], dtype=np.float32)
    np.testing.assert_array_equal(load(Image.fromarray(array)).pixels[..., 0], [[0, 128, 255]])


# Pillow's limits and warnings


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(KmcFileError, match=r"refused by Pillow.*MAX_IMAGE_PIXELS") as caught:
        load(file_bytes(gradient(5, 5)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["file", "image"])
def test_a_limit_of_ones_own(source):
    data = file_bytes(gradient(5, 5))
    images = {"file": data, "image": Image.open(io.BytesIO(data))}
    with pytest.raises(KmcFileError, match=r"image has 5 x 5 pixels, which is more than max_pixels = 24; raise"):
        load(images[source], max_pixels=24)
    assert load(data, max_pixels=25).shape == (5, 5, 3)


def test_the_limit_can_be_raised_above_that_of_pillow(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    array = gradient(10, 10)
    np.testing.assert_array_equal(load(file_bytes(array), max_pixels=100).pixels, array)
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(KmcFileError, match=r"10 x 10 pixels, which is more than max_pixels = 99"):
        load(file_bytes(array), max_pixels=99)
    with pytest.raises(KmcFileError, match=r"refused by Pillow"):
        load(file_bytes(array))
    with pytest.raises(KmcFileError, match=r"refused by Pillow"):
        kmc.compress(file_bytes(array), 4)
    assert kmc.compress(file_bytes(array), 4, max_pixels=100).image.shape == array.shape


def test_threads_leave_the_limit_of_pillow_as_it_was(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = file_bytes(gradient(10, 10))
    begun, left = threading.Event(), threading.Event()

    class Slow:
        def read(self):
            begun.set()
            assert left.wait(10)
            return data

    slow = threading.Thread(target=load, args=(Slow(),), kwargs={"max_pixels": 1000})
    slow.start()
    assert begun.wait(10)
    assert load(data, max_pixels=100).shape == (10, 10, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000  # as the slow one needs it
    left.set()
    slow.join()
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("limit", [0, -1, 2.5, True, "many"])
def test_limits_that_are_no_numbers_of_pixels(limit):
    with pytest.raises((KmcValueError, KmcTypeError), match=r"max_pixels must be a whole number from 1"):
        load(file_bytes(gradient(5, 5)), max_pixels=limit)


def test_a_bomb_is_refused_before_it_is_decoded():
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10**6)) + chunk(b"IEND", b"")
    tracemalloc.start()
    for limit, message in (
        (None, "refused by Pillow"),
        (10**9, "raise max_pixels"),
        (2 * 10**9, "60000 x 60000 pixels"),
    ):
        with pytest.raises(KmcFileError, match=message):
            load(data, max_pixels=limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def test_warnings_of_pillow_do_not_leak(monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # warns up to twice the limit
    array = gradient(5, 5)
    np.testing.assert_array_equal(load(file_bytes(array)).pixels, array)
    assert not recwarn.list


def test_threads_leave_the_filters_of_warnings_as_they_were():
    data = file_bytes(gradient(5, 5))
    begun, inside, left = threading.Event(), threading.Event(), threading.Event()

    class First:
        def read(self):
            begun.set()
            assert inside.wait(10)  # leaves after the second has come
            return data

    class Second:
        def read(self):
            inside.set()
            assert left.wait(10)  # leaves after the first has left
            return data

    before = list(warnings.filters)
    first = threading.Thread(target=lambda: (load(First()), left.set()))
    second = threading.Thread(target=load, args=(Second(),))
    first.start()
    assert begun.wait(10)
    second.start()
    first.join()
    second.join()
    assert warnings.filters == before


def test_a_lack_of_memory_is_reported_as_such(monkeypatch):
    def fail(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(MemoryError):
        load(file_bytes(gradient(5, 5)))


def test_a_closed_file():
    file = io.BytesIO(file_bytes(gradient(5, 5)))
    file.close()
    with pytest.raises(KmcFileError, match="closed file"):
        load(file)


def test_the_message_names_an_open_file(tmp_path):
    path = tmp_path / "not a picture.png"
    path.write_text("hello")
    with path.open("rb") as file, pytest.raises(KmcFileError, match=r"not a picture\.png"):
        load(file)


def test_a_missing_file_is_also_the_built_in_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(pathlib.Path(tmp_path, "missing.png"))


# Alpha that says nothing


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_opaque_alpha_is_left_out(dtype):
    stored = np.dstack([noise(5, 7), np.full((5, 7), 255, dtype=np.uint8)])
    scale = 1 if dtype == np.uint8 else 257 if dtype == np.uint16 else 1 / 255
    array = (stored * np.float64(scale)).astype(dtype)
    picture = load(array)
    assert picture.shape == (5, 7, 4)
    np.testing.assert_array_equal(picture.pixels, stored[..., :3])
    for place in [(0, 0), (4, 6), (2, 3)]:
        other = stored.copy()
        other[(*place, 3)] = 254
        np.testing.assert_array_equal(load(other).pixels, other)
    file = load(file_bytes(stored, "PNG"))
    assert file.shape == file.pixels.shape == (5, 7, 3)
