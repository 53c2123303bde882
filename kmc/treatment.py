"""A file the way of its kind: a still picture by ``compress()``, an animation by ``compress_animation()``.

What neither way would keep is told and not dropped: the pages of a document, and frames where the result's format holds
no animations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from kmc import api
from kmc.animation import compress_animation
from kmc.compressed_animation import CompressedAnimation
from kmc.compressed_image import CompressedImage
from kmc.encode import FORMATS, Format
from kmc.errors import KmcValueError
from kmc.load import Picture, load
from kmc.loading.picture_file import FileLike

__all__ = ["FRAMES", "Treatment", "n_colors", "n_frames"]

FRAMES = ("all", "first")
FIRST_ALONE = "take the first alone with frames='first' (--frames first)"


@dataclass(frozen=True)
class Treatment:
    """What is done with a file.

    Attributes
    ----------
    k : int
    options : dict
        The other arguments of :func:`kmc.compress`.
    metadata, optimize : str
        As for :meth:`kmc.CompressedImage.to_bytes`.
    frames : {"all", "first"}
        Whether animations stay animations.
    frame_palettes : bool
        Whether each of their frames gets a palette of its own.
    """

    k: int
    options: dict[str, Any] = field(default_factory=dict)
    metadata: str = "display"
    optimize: str = "default"
    frames: str = "all"
    frame_palettes: bool = False

    def load(self, image: FileLike, name: str = "image") -> Picture:
        """Load the first frame; see :func:`kmc.load.load`."""
        profile, max_pixels = self.options.get("profile", "keep"), self.options.get("max_pixels")
        return load(image, profile=profile, max_pixels=max_pixels, name=name)

    def keeps_frames(self, picture: Picture) -> bool:
        """Whether more than one frame or page of a file is to be kept."""
        return self.frames == "all" and picture.n_frames > 1

    def compressed(
        self, image: FileLike, picture: Picture, file_format: Format, name: str
    ) -> tuple[CompressedImage | CompressedAnimation, bytes]:
        """Compress `image`, of which `picture` was loaded.

        Returns
        -------
        result : CompressedImage or CompressedAnimation
        data : bytes
            Of its file.

        Raises
        ------
        KmcValueError
            The result cannot hold all frames or pages, or an option is not for animations; `name` stands for the file.
        """
        if self.keeps_frames(picture):
            self._check_keepable(picture, file_format, name)
            palette = "frame" if self.frame_palettes else "shared"
            animation = compress_animation(image, self.k, palette=palette, **self._animation_options(name))
            return animation, animation.to_bytes(file_format.name, metadata=self.metadata)
        result = api.compress(picture, self.k, **self.options)
        threads = self.options.get("threads")
        return result, result.to_bytes(
            file_format.name, metadata=self.metadata, optimize=self.optimize, threads=threads
        )

    def _check_keepable(self, picture: Picture, file_format: Format, name: str) -> None:
        if not picture.is_animated:
            raise KmcValueError(f"{name} has several pages and one would be left; {FIRST_ALONE}")
        if file_format.encode_animation is None:
            endings = ", ".join(other.suffixes[0] for other in FORMATS if other.encode_animation)
            raise KmcValueError(
                f"{name} is an animation and {file_format.name} holds none; end the result's name in one of {endings}, "
                f"or {FIRST_ALONE}"
            )
        if self.frame_palettes and file_format.name == "PNG":
            raise KmcValueError(
                f"{name} is an animation, whose frames share a palette in PNG; leave out frame_palettes "
                "(--frame-palettes), or end the result's name in .gif or .webp"
            )

    def _animation_options(self, name: str) -> dict[str, Any]:
        """Give the options that animations have; the others must be at their defaults."""
        known, defaults = signature(compress_animation).parameters, signature(api.compress).parameters
        others = {option: value for option, value in self.options.items() if option not in known}
        given = [option for option, value in others.items() if not _is(value, defaults[option].default)]
        if given:
            raise KmcValueError(
                f"{name} is an animation, and {' and '.join(given)} {'is' if len(given) == 1 else 'are'} for still "
                f"pictures only; leave {'it' if len(given) == 1 else 'them'} out, or {FIRST_ALONE}"
            )
        return {option: value for option, value in self.options.items() if option in known}


def _is(value: object, default: object) -> bool:
    """Whether an argument is the default; arrays are compared with nothing."""
    return value is default or (isinstance(value, str | int | float) and value == default)


def n_frames(result: CompressedImage | CompressedAnimation) -> int:
    """Count the frames; a still picture is one."""
    return len(result.frames) if isinstance(result, CompressedAnimation) else 1


def n_colors(result: CompressedImage | CompressedAnimation) -> int:
    """Count the entries of the palette, or of the largest where frames have their own."""
    palettes = result.palettes if isinstance(result, CompressedAnimation) else (result.palette,)
    return max(len(palette) for palette in palettes)
