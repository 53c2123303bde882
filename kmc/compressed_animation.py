"""What ``compress_animation`` returns: frames of few colours, their timing, and what was lost."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc._validate import choice
from kmc.deltas import ShownFrame, with_alpha
from kmc.encode import FORMATS, Format, format_named, format_of, write_atomically
from kmc.errors import KmcFileError, KmcValueError
from kmc.loading.color_profile import for_file
from kmc.loading.metadata import KEPT, Metadata
from kmc.palette import Palette

__all__ = ["AnimationFrames", "CompressedAnimation", "PackedFrame"]

Pixels = NDArray[np.uint8]

MOST_COLORS = 256


class PackedFrame(NamedTuple):
    """A frame deflated: its palette, indices (h, w), and which of them (h, w) are drawn, None for all."""

    palette: Palette
    shape: tuple[int, ...]
    indices: bytes
    mask: bytes | None

    @classmethod
    def of(cls, palette: Palette, indices: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> PackedFrame:
        """Deflate a frame, quickly."""
        if mask is not None:
            indices = np.where(mask, indices, np.uint8(0))
        bits = None if mask is None else zlib.compress(np.packbits(mask).tobytes(), 1)
        return cls(palette, indices.shape, zlib.compress(indices.tobytes(), 1), bits)

    def unpacked(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Give the indices and the mask."""
        indices = np.frombuffer(zlib.decompress(self.indices), dtype=np.uint8).reshape(self.shape)
        if self.mask is None:
            return indices, None
        bits = np.frombuffer(zlib.decompress(self.mask), dtype=np.uint8)
        return indices, np.unpackbits(bits, count=indices.size).astype(bool).reshape(self.shape)


class AnimationFrames(Sequence[Any]):
    """The frames of an animation as arrays (h, w, 3) or (h, w, 4) of uint8, each unpacked when it is asked for."""

    def __init__(self, packed: Sequence[PackedFrame]) -> None:
        self.packed = packed

    def __len__(self) -> int:
        return len(self.packed)

    def __repr__(self) -> str:
        return f"AnimationFrames({len(self)} arrays)"

    def __iter__(self) -> Iterator[Pixels]:
        for _, _, shown in self.shown([frame.palette.colors for frame in self.packed]):
            yield shown

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        first = max(at for at in range(number + 1) if self.packed[at].mask is None)
        part = self.packed[first : number + 1]
        for _, _, shown in AnimationFrames(part).shown([frame.palette.colors for frame in part]):  # noqa: B007
            pass
        return shown

    def shown(self, colors: Sequence[Pixels]) -> Iterator[tuple[NDArray[np.uint8], bool, Pixels]]:
        """Give of each frame the indices, whether they hold everywhere, and the pixels in its colours (k, c)."""
        shown = np.zeros((), dtype=np.uint8)
        for frame, own_colors in zip(self.packed, colors, strict=True):
            indices, mask = frame.unpacked()
            drawn = own_colors.take(indices, axis=0)
            shown = drawn if mask is None else np.where(mask[..., np.newaxis], drawn, shown)
            yield indices, mask is None, shown


@dataclass(frozen=True, eq=False)
class CompressedAnimation:
    """An animation of few colours.

    Attributes
    ----------
    frames : sequence of ndarray (h, w, 3) or (h, w, 4) uint8
        As they are shown, one after another; made anew at each access.
    durations : tuple of float
        Milliseconds of each frame.
    loop : int
        How often it is played; 0 for ever.
    mse : float
        Mean over all samples of all frames of the squared difference of the 8-bit values.
    metadata : Metadata
        What the file said beside its pixels.
    """

    frames: AnimationFrames = field(repr=False)
    durations: tuple[float, ...]
    loop: int
    mse: float
    metadata: Metadata = field(default_factory=Metadata, repr=False)

    def __repr__(self) -> str:
        height, width = self.frames.packed[0].shape
        error = "lossless" if self.lossless else f"PSNR {self.psnr:.2f} dB"
        n = len(self.frames)
        return f"CompressedAnimation({width}x{height}, {n} frame{'s'[n == 1 :]}, {sum(self.durations):g} ms, {error})"

    @property
    def palettes(self) -> tuple[Palette, ...]:
        """The palette of each frame; the same object where they share one."""
        return tuple(frame.palette for frame in self.frames.packed)

    @property
    def lossless(self) -> bool:
        """Whether every pixel of every frame kept its colour."""
        return self.mse == 0

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB: 10 * log10(255^2 / mse); infinite if lossless."""
        return math.inf if self.mse == 0 else 10 * math.log10(255**2 / self.mse)

    def to_bytes(self, file_format: str = "GIF", *, metadata: str = "display") -> bytes:
        """Give the bytes of a file.

        Parameters
        ----------
        file_format : {"GIF", "WebP", "PNG"}
            WebP is lossless. PNG needs a palette that all frames share. GIF counts time in hundredths of a second and
            has no partial transparency: colours of alpha 128 and more become opaque, the others transparent.
        metadata : {"display", "all", "none"}
            As for :meth:`kmc.CompressedImage.to_bytes`.

        Raises
        ------
        KmcValueError
            The format holds no animations, or frames have palettes of their own and the format has one for all.
        """
        found = format_named(file_format)
        if found.encode_animation is None:
            raise KmcValueError(f"{found.name} holds no animations; choose {_animated_names()}")
        return self._encoded(found, metadata)

    def save(
        self, path: str | os.PathLike[str], *, metadata: str = "display", times_of: str | os.PathLike[str] | None = None
    ) -> None:
        """Write the animation to `path`, wholly or not at all; an existing file is replaced.

        The ending of the name says the format: .gif, .webp, .png or .apng; see :meth:`to_bytes`. Of an animation of one
        frame the file is a still picture. The permissions of a replaced file are kept. The file gets the times of the
        file `times_of` if one is named.

        Raises
        ------
        KmcFileError
            The file cannot be written, or its format holds no animations.
        KmcValueError
            As for :meth:`to_bytes`.
        """
        found = format_of(path)
        if found.encode_animation is None:
            raise KmcFileError(
                f"{os.fspath(path)!r} cannot hold an animation; choose {_animated_names()}, and end the name so"
            )
        write_atomically(path, self._encoded(found, metadata), times_of=times_of)

    def _encoded(self, file_format: Format, kept: str) -> bytes:
        choice("metadata", kept, KEPT)
        assert file_format.encode_animation is not None
        colors: dict[int, Pixels] = {}
        written = Metadata()
        for palette in self.palettes:
            if id(palette) not in colors:
                colors[id(palette)], written = for_file(
                    palette.colors, self.metadata, kept, file_format.holds_profile, file_format.holds_gamma
                )
        of_frames = [colors[id(palette)] for palette in self.palettes]
        return file_format.encode_animation(self._drawn(of_frames), self.loop, written)

    def _drawn(self, colors: Sequence[Pixels]) -> Iterator[ShownFrame]:
        shown = self.frames.shown(colors)
        for (indices, is_whole, pixels), own_colors, duration in zip(shown, colors, self.durations, strict=True):
            yield ShownFrame(with_alpha(pixels), indices, _entries(own_colors, is_whole), is_whole, duration)


def _entries(colors: Pixels, is_whole: bool) -> Pixels:
    """Give colours (k, 4) with one that leaves what is there, if it is needed or costs no bit more for each pixel.

    In pictures with alpha it is needed even where nothing is left: readers of GIF take the presence of a transparent
    entry for what to clear a frame to.
    """
    entries = with_alpha(colors)
    fills_its_bits = len(entries) & (len(entries) - 1) == 0
    if entries[:, 3].min() == 0 or (is_whole and colors.shape[1] < 4 and fills_its_bits) or len(entries) == MOST_COLORS:
        return entries
    return np.concatenate([entries, np.zeros((1, 4), dtype=np.uint8)])


def _animated_names() -> str:
    return " or ".join(file_format.name for file_format in FORMATS if file_format.encode_animation)
