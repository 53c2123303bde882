"""Animations: what is shown, when and how often, read back with Pillow from each format."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from pictures import file_bytes, photograph
from PIL import Image
from profiles import DISPLAY_P3, rgb_profile, srgb_curve

import kmc
from kmc.compressed_animation import AnimationFrames
from kmc.errors import KmcFileError, KmcTypeError, KmcValueError
from kmc.load import load

FORMATS = ["GIF", "WebP", "PNG"]
DURATIONS = [40, 70, 10, 100, 300, 20]
HEIGHT, WIDTH = 23, 31


def frames_of_kind(kind, n=6, seed=0):
    """Frames (h, w, 3) or (h, w, 4): a photograph in which a block moves; the fourth frame is the third once more."""
    rng = np.random.default_rng(seed)
    still = photograph(HEIGHT, WIDTH, 3, seed)
    frames = []
    for number in range(n):
        frame = np.dstack([still, np.full(still.shape[:2], 255, dtype=np.uint8)])
        y, x = 2 * (number if number != 3 else 2), 3 * (number if number != 3 else 2)
        frame[y : y + 5, x : x + 6, :3] = photograph(5, 6, 3, seed + (number if number != 3 else 2))
        if kind != "opaque":
            hole = 0 if kind == "holes" else int(rng.integers(1, 255))
            frame[WIDTH // 2 - number : WIDTH // 2, :, 3] = hole
            frame[: number % 3, :, 3] = 0
            frame[frame[..., 3] == 0] = 0
        frames.append(frame if kind != "opaque" else np.ascontiguousarray(frame[..., :3]))
    return frames


def animation_file(frames, file_format="PNG", durations=DURATIONS, **options):
    images = [Image.fromarray(frame) for frame in frames]
    options = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 3} | options
    if file_format == "WebP":
        options |= {"lossless": True, "exact": True}
    return file_bytes(images[0], file_format, **options)


def shown_in(data):
    """Pixels (h, w, 4) and duration of each frame as Pillow shows it."""
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            yield rgba(np.asarray(image.convert("RGBA"))), float(image.info.get("duration", 0))


def rgba(pixels):
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)])
    return np.where(pixels[..., 3:] == 0, 0, pixels).astype(np.uint8)


def without_partial_alpha(pixels):
    opaque = pixels[..., 3:] >= 128
    return np.where(opaque, np.dstack([pixels[..., :3], np.full(pixels.shape[:2], 255)]), 0).astype(np.uint8)


def joined(frames, durations):
    """Frames that look like the one before it lengthen that one."""
    shown = []
    for frame, duration in zip(frames, durations, strict=True):
        if shown and np.array_equal(shown[-1][0], frame):
            shown[-1][1] += duration
        else:
            shown.append([frame, duration])
    return shown


def assert_shows(data, file_format, animation):
    expected = [rgba(frame) for frame in animation.frames]
    if file_format == "GIF":
        expected = [without_partial_alpha(frame) for frame in expected]
    expected = joined(expected, animation.durations)
    found = list(shown_in(data))
    assert len(found) == len(expected)
    for (pixels, _), (own, _) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(pixels, own)
    if len(found) > 1:
        np.testing.assert_allclose([d for _, d in found], [d for _, d in expected], atol=1e-9)


@pytest.mark.parametrize("kind", ["opaque", "holes", "partial"])
@pytest.mark.parametrize("palette", ["shared", "frame"])
@pytest.mark.parametrize("dither", [0, 0.8, "blue-noise"])
@pytest.mark.parametrize("k", [2, 17])
def test_each_format_shows_the_frames(kind, palette, dither, k):
    animation = kmc.compress_animation(animation_file(frames_of_kind(kind)), k, palette=palette, dither=dither)
    assert len(animation.frames) == len(animation.durations) == (5 if kind == "opaque" else 6)  # Pillow has joined two
    for file_format in FORMATS if palette == "shared" else FORMATS[:2]:
        assert_shows(animation.to_bytes(file_format), file_format, animation)
    assert {len(own) for own in animation.palettes} <= set(range(1, k + 1))
    assert (len({id(own) for own in animation.palettes}) == 1) == (palette == "shared")


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_timing_and_loop_are_kept(source, target):
    options = {"loop": 2} if source == "GIF" else {}  # which counts what follows on the first time
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque"), source, **options), 16)
    assert animation.loop == 3
    assert animation.durations == (40, 70, 110, 300, 20)
    data = animation.to_bytes(target)
    assert kmc.compress_animation(data, 16).loop == 3
    assert [duration for _, duration in shown_in(data)] == [40, 70, 110, 300, 20]


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_for_ever_and_once(source, target):
    for options, loop in (({"loop": 0}, 0), ({"loop": None if source == "GIF" else 1}, 1)):
        data = animation_file(frames_of_kind("opaque"), source, **options)
        animation = kmc.compress_animation(data, 16)
        assert animation.loop == loop
        assert kmc.compress_animation(animation.to_bytes(target), 16).loop == loop


def test_times_between_ticks_add_up():
    durations = [33, 33, 34, 33, 33, 34]
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque"), durations=durations), 16)
    assert sum(duration for _, duration in shown_in(animation.to_bytes("GIF"))) == 200
    assert [duration for _, duration in shown_in(animation.to_bytes("PNG"))] == list(animation.durations)


def test_long_times():
    durations = [655_350, 400_000]  # milliseconds; the first is the longest of GIF
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque", 2), "WebP", durations), 16)
    for file_format in FORMATS:
        assert [duration for _, duration in shown_in(animation.to_bytes(file_format))] == durations


def test_long_times_that_are_no_whole_numbers():
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque", 2), "WebP", [40, 40]), 16)
    longer = replace(animation, durations=(123_456.7, 1000 / 30))
    found = [duration for _, duration in shown_in(longer.to_bytes("PNG"))]
    np.testing.assert_allclose(found, longer.durations, rtol=1e-5)


def test_a_still_that_lasts_longer_than_a_frame_may():
    frames = [frames_of_kind("opaque")[0]] * 2
    animation = kmc.compress_animation(animation_file(frames[:1], "WebP"), 16)
    longer = replace(
        animation, frames=AnimationFrames(animation.frames.packed * 3), durations=(600_000.0, 50_000.0, 600_000.0)
    )
    assert [duration for _, duration in shown_in(longer.to_bytes("GIF"))] == [650_000, 600_000]


@pytest.mark.parametrize("kind", ["opaque", "holes", "partial"])
def test_few_colors_come_back_exactly(kind):
    frames = [frame // 64 * 64 for frame in frames_of_kind(kind)]
    colors = len(np.unique(np.concatenate([rgba(frame).reshape(-1, 4) for frame in frames]), axis=0))
    for k in (colors, 256):
        animation = kmc.compress_animation(animation_file(frames), k, dither=0.8)
        assert animation.lossless
        assert animation.psnr == np.inf
        expected = joined([rgba(frame) for frame in frames], DURATIONS)
        assert len(expected) == len(animation.frames)
        for (frame, _), own in zip(expected, animation.frames, strict=True):
            np.testing.assert_array_equal(rgba(own), frame)


@pytest.mark.parametrize("palette", ["shared", "frame"])
def test_the_error_is_that_of_what_is_shown(palette):
    frames = frames_of_kind("opaque")
    animation = kmc.compress_animation(animation_file(frames), 8, palette=palette)
    originals = [frame for frame, _ in joined(frames, DURATIONS)]
    squares = [
        np.square(one.astype(float) - other).mean() for one, other in zip(originals, animation.frames, strict=True)
    ]
    assert animation.mse == pytest.approx(np.mean(squares))
    assert not animation.lossless


def test_a_palette_for_each_frame_loses_less():
    rng = np.random.default_rng(5)
    frames = [np.clip(photograph(40, 50) // 3 + rng.integers(0, 170, 3), 0, 255).astype(np.uint8) for _ in range(6)]
    data = animation_file(frames)
    shared = kmc.compress_animation(data, 16)
    own = kmc.compress_animation(data, 16, palette="frame")
    assert own.mse < 0.5 * shared.mse


@pytest.mark.parametrize("dither", [0, 0.8, "blue-noise"])
@pytest.mark.parametrize("palette", ["shared", "frame"])
def test_what_does_not_change_keeps_its_colors(dither, palette):
    frames = frames_of_kind("opaque")
    animation = kmc.compress_animation(animation_file(frames), 8, dither=dither, palette=palette)
    shown = list(animation.frames)
    originals = [frame for frame, _ in joined(frames, DURATIONS)]
    for number in range(1, len(shown)):
        same = (originals[number] == originals[number - 1]).all(axis=2)
        assert same.mean() > 0.5
        np.testing.assert_array_equal(shown[number][same], shown[number - 1][same])


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_does_not_change_costs_next_to_nothing(file_format):
    still = photograph(80, 100)
    frames = [still.copy() for _ in range(8)]
    for number, frame in enumerate(frames):
        frame[10 * number : 10 * number + 3, 4:9] = 255 * (number % 2)
    animation = kmc.compress_animation(animation_file(frames, durations=40), 32, dither="blue-noise")
    one = len(kmc.compress_animation(animation_file(frames[:1]), 32, dither="blue-noise").to_bytes(file_format))
    assert len(animation.to_bytes(file_format)) < 1.3 * one + 8 * 150


FITTED = [
    {"weighting": "flatness"},
    {"downsample": 2},
    {"downsample": "0.0002MP", "weighting": "flatness", "space": "oklab"},
    {"fixed": [[1, 2, 3], [250, 0, 9]]},
    {"fixed": [[0, 0, 0, 0], [250, 0, 9, 128]], "weighting": "flatness"},
    {"init": "wu"},
    {"init": "maximin", "seed": 3},
]


@pytest.mark.parametrize("options", FITTED)
@pytest.mark.parametrize("kind", ["opaque", "partial"])
def test_a_shared_palette_is_that_of_all_frames(kind, options):
    frames = [frame for frame, _ in joined(frames_of_kind(kind), DURATIONS)]
    animation = kmc.compress_animation(animation_file(frames, durations=40), 12, **options)
    palette = kmc.fit_palette(frames, 12, **options)
    if not (palette.channels == 4 and (palette.colors[:, 3] == 0).any()):
        palette = kmc.fit_palette(frames, 11, **options)  # one marks what does not change
    np.testing.assert_array_equal(animation.palettes[0].colors, palette.colors)
    assert_shows(animation.to_bytes("GIF"), "GIF", animation)


@pytest.mark.parametrize("kind", ["opaque", "partial"])
def test_looks_are_those_of_a_still_picture(kind):
    frame = frames_of_kind(kind)[2]
    animation = kmc.compress_animation(animation_file([frame]), 12, preset="looks")
    expected = kmc.compress(frame, 12, preset="looks", dither="blue-noise")
    np.testing.assert_array_equal(rgba(animation.frames[0]), rgba(expected.image))


@pytest.mark.parametrize("kind", ["opaque", "partial"])
def test_weights_in_palettes_of_frames(kind):
    frames = frames_of_kind(kind, 3)[1:]  # of partial ones the first is opaque
    animation = kmc.compress_animation(animation_file(frames, durations=40), 8, palette="frame", weighting="flatness")
    expected = kmc.fit_palette(frames[:1], 7, weighting="flatness")
    np.testing.assert_array_equal(animation.palettes[0].colors, expected.colors)
    plain = kmc.compress_animation(animation_file(frames, durations=40), 8, palette="frame")
    assert not np.array_equal(animation.palettes[0].colors, plain.palettes[0].colors)
    assert not np.array_equal(animation.palettes[1].colors, plain.palettes[1].colors)


@pytest.mark.parametrize("palette", ["shared", "frame"])
@pytest.mark.parametrize("k", [3, 4, 9])
def test_fixed_colors_are_in_every_palette(palette, k):
    fixed = np.array([[255, 0, 0], [0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque")), k, palette=palette, fixed=fixed)
    for own in animation.palettes:
        np.testing.assert_array_equal(own.colors[:3], fixed)
        assert len(own) <= max(3, k - 1)
    for file_format in FORMATS if palette == "shared" else FORMATS[:2]:
        assert_shows(animation.to_bytes(file_format), file_format, animation)


def test_a_whole_palette_without_room_for_a_mark():
    fixed = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque")), 256, fixed=fixed)
    np.testing.assert_array_equal(animation.palettes[0].colors, np.repeat(fixed, 3, axis=1))
    for file_format in FORMATS:
        assert_shows(animation.to_bytes(file_format), file_format, animation)


def test_few_colors_come_back_exactly_with_fixed_ones_and_smaller_frames():
    frames = [frame // 128 * 128 for frame in frames_of_kind("opaque")]
    options = {"fixed": [[9, 9, 9]], "downsample": 4, "weighting": "flatness", "dither": 0.8}
    assert kmc.compress_animation(animation_file(frames), 16, **options).lossless


def test_frames_by_number():
    for palette in ("shared", "frame"):
        animation = kmc.compress_animation(animation_file(frames_of_kind("opaque")), 8, palette=palette)
        shown = list(animation.frames)
        assert len(shown) == 5
        for number in (4, 0, 2, -1):
            np.testing.assert_array_equal(animation.frames[number], shown[number])
        np.testing.assert_array_equal(animation.frames[1:3], shown[1:3])
        with pytest.raises(IndexError):
            animation.frames[5]


@pytest.mark.parametrize("kind", ["path", "file", "bytes", "image", "stream"])
def test_every_form_of_a_file(kind, tmp_path):
    class Stream:
        def __init__(self, data):
            self.read = io.BytesIO(data).read

    data = animation_file(frames_of_kind("opaque"), "GIF")
    path = tmp_path / "in.gif"
    path.write_bytes(data)
    image = Image.open(path)
    image.seek(2)
    forms = {"path": path, "file": io.BytesIO(data), "bytes": data, "image": image, "stream": Stream(data)}
    animation = kmc.compress_animation(forms[kind], 16)
    assert animation.to_bytes() == kmc.compress_animation(data, 16).to_bytes()
    assert image.tell() == 2
    image.close()


def test_a_still_picture_is_one_frame(tmp_path):
    still = photograph(HEIGHT, WIDTH, 1)
    animation = kmc.compress_animation(file_bytes(still), 16)
    assert repr(animation).startswith(f"CompressedAnimation({WIDTH}x{HEIGHT}, 1 frame, 0 ms, PSNR")
    for file_format in FORMATS:
        data = animation.to_bytes(file_format)
        assert not getattr(Image.open(io.BytesIO(data)), "is_animated", False)
        np.testing.assert_array_equal(next(iter(shown_in(data)))[0], rgba(animation.frames[0]))


def test_the_picture_that_apng_keeps_for_old_readers_is_no_frame():
    frames = frames_of_kind("opaque")
    data = animation_file([255 - frames[0], *frames], default_image=True)
    animation = kmc.compress_animation(data, 256)
    assert len(animation.frames) == 5
    assert np.abs(animation.frames[0].astype(int) - frames[0]).mean() < 10


def test_compress_takes_the_first_frame():
    frames = frames_of_kind("opaque")
    small = kmc.compress(animation_file(frames, "GIF"), 256)
    assert small.image.shape == frames[0].shape


def test_saving(tmp_path):
    animation = kmc.compress_animation(animation_file(frames_of_kind("opaque")), 16)
    for name, file_format in (("a.gif", "GIF"), ("a.webp", "WebP"), ("a.png", "PNG"), ("b.apng", "PNG")):
        animation.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == animation.to_bytes(file_format)
    with pytest.raises(KmcFileError, match=r"a\.tif' cannot hold an animation; choose PNG or GIF or WebP"):
        animation.save(tmp_path / "a.tif")
    with pytest.raises(KmcValueError, match="TIFF holds no animations"):
        animation.to_bytes("tiff")
    with pytest.raises(KmcValueError, match="format must be one of 'PNG', 'GIF', 'WebP', 'TIFF', got 'jpeg'"):
        animation.to_bytes("jpeg")
    own = kmc.compress_animation(animation_file(frames_of_kind("opaque")), 16, palette="frame")
    with pytest.raises(KmcValueError, match=r"palettes of their own .* palette='shared'"):
        own.to_bytes("PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png", "a.webp", "b.apng"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"k": 1}, KmcValueError, "2 to 256 colours, got k = 1"),
        ({"k": 257}, KmcValueError, "2 to 256 colours, got k = 257"),
        ({"palette": "global"}, KmcValueError, "palette must be one of 'shared', 'frame'"),
        ({"init": "best"}, KmcValueError, "init must be one of"),
        ({"preset": "small"}, KmcValueError, "preset 'small' is for still pictures only"),
        ({"weighting": "edges"}, KmcValueError, "weighting must be one of"),
        ({"fixed": np.zeros((17, 3)) + np.arange(17)[:, None]}, KmcValueError, "fixed holds 17 colours and k is 16"),
        ({"downsample": 0.5}, KmcValueError, "downsample must be a number from 1 up"),
        ({"downsample": 2, "palette": "frame"}, KmcValueError, "downsample is for the palette that all frames share"),
        ({"image": np.zeros((3, 4, 5, 3))}, KmcTypeError, "ndarray; give an animation as path"),
        ({"max_pixels": 100}, KmcFileError, f"{WIDTH} x {HEIGHT} pixels, which is more than max_pixels = 100"),
    ],
)
def test_bad_arguments(arguments, kind, message):
    arguments = {"image": animation_file(frames_of_kind("opaque")), "k": 16} | arguments
    with pytest.raises(kind, match=message):
        kmc.compress_animation(**arguments)


def test_a_palette_without_alpha_for_frames_with_it():
    data = animation_file(frames_of_kind("partial"))
    with pytest.raises(KmcValueError, match="the picture has transparent pixels and the palette has no alpha"):
        kmc.compress_animation(data, 2, fixed=[[0, 0, 0], [255, 255, 255]])


def test_pictures_of_several_sizes_are_no_animation():
    images = [Image.fromarray(photograph(5, 6)), Image.fromarray(photograph(6, 5))]
    data = file_bytes(images[0], "TIFF", save_all=True, append_images=images[1:])
    with pytest.raises(KmcFileError, match="several sizes, 6 x 5 and 5 x 6"):
        kmc.compress_animation(data, 4)


def test_a_cut_off_file():
    data = animation_file(frames_of_kind("opaque"), "GIF")
    with pytest.raises(KmcFileError, match="image"):
        kmc.compress_animation(data[: len(data) // 3], 4)


@pytest.mark.parametrize("palette", ["shared", "frame"])
def test_profiles(palette):
    profile = rgb_profile(DISPLAY_P3, srgb_curve())
    frames = [frame // 64 * 64 for frame in frames_of_kind("opaque")]
    data = animation_file(frames, icc_profile=profile)
    kept = kmc.compress_animation(data, 64, palette=palette)
    assert kept.lossless
    for file_format in ("WebP", "PNG")[: 2 if palette == "shared" else 1]:
        image = Image.open(io.BytesIO(kept.to_bytes(file_format)))
        assert image.info["icc_profile"] == profile
        assert "icc_profile" not in Image.open(io.BytesIO(kept.to_bytes(file_format, metadata="none"))).info
    in_srgb = kmc.compress_animation(data, 64, palette=palette, profile="srgb")
    assert in_srgb.metadata.icc_profile is None
    # GIF has no place for the profile.
    for (one, _), other in zip(shown_in(kept.to_bytes("GIF")), in_srgb.frames, strict=True):
        np.testing.assert_array_equal(one[..., :3], other)


def test_the_same_for_any_number_of_threads():
    data = animation_file(frames_of_kind("partial"))
    files = {kmc.compress_animation(data, 16, preset="looks", threads=threads).to_bytes() for threads in (1, 2, 5)}
    assert len(files) == 1


def test_memory_does_not_grow_with_the_frames():
    def peak(n):
        still = photograph(100, 150)
        frames = [np.roll(still, 50 * (number % 3), axis=1) for number in range(n)]
        data = animation_file(frames, "PNG", durations=40)
        tracemalloc.start()
        kmc.compress_animation(data, 16).to_bytes("GIF")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(3)  # scratch memory is kept from here on
    assert peak(40) < 1.3 * peak(10)


def test_frames_are_counted():
    still = Image.fromarray(photograph(5, 6))
    for data, n_frames, is_animated in [
        (animation_file(frames_of_kind("opaque"), "GIF"), 5, True),
        (animation_file(frames_of_kind("opaque"), "WebP"), 5, True),
        (file_bytes(still), 1, False),
        (file_bytes(still, "TIFF", save_all=True, append_images=[still, still]), 3, False),
        (file_bytes(still, "MPO", save_all=True, append_images=[still]), 1, False),
    ]:
        picture = load(data)
        assert (picture.n_frames, picture.is_animated) == (n_frames, is_animated)


@pytest.mark.parametrize("kind", ["opaque", "partial"])
def test_a_palette_that_holds_a_frame_is_not_dithered(kind):
    options = {"palette": "frame", "dither": "blue-noise"}
    once = kmc.compress_animation(animation_file(frames_of_kind(kind, 3), durations=40), 8, **options)
    again = kmc.compress_animation(once.to_bytes("WebP"), 8, **options)
    assert not once.lossless
    assert again.lossless
