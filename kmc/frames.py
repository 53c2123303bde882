"""The frames of an animation, one after another: file or PIL image -> pixels and duration of each.

Pillow lays each frame over those before it as the file's disposal and blending say, so that every frame comes as it is
shown. Only one is in memory at a time; a second pass reads the file again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kmc.errors import KmcFileError
from kmc.loading.metadata import Metadata
from kmc.loading.picture_file import FileLike, opened
from kmc.loading.pil_pixels import pixels_and_metadata

__all__ = ["Frame", "frames_of"]


class Frame(NamedTuple):
    """A frame as it is shown.

    `pixels` (h, w, 3) or (h, w, 4) uint8; `duration` in milliseconds; `loop`, how often the animation is played, 0 for
    ever; `metadata` of the file.
    """

    pixels: NDArray[np.uint8]
    duration: float
    loop: int
    metadata: Metadata


def frames_of(image: FileLike, profile: str, max_pixels: int | None) -> Iterator[Frame]:
    """Read the frames; a still picture is one frame. The picture that APNG keeps for old readers is left out."""
    with opened(image, "image", max_pixels) as picture:
        file = picture.image
        stood_at = file.tell()
        size = None
        for index in range(int(getattr(file, "default_image", False)), getattr(file, "n_frames", 1)):
            file.seek(index)
            pixels, metadata = pixels_and_metadata(picture, profile)
            size = size or pixels.shape[:2]
            if pixels.shape[:2] != size:
                raise KmcFileError(
                    f"{picture.name} holds pictures of several sizes, {size[1]} x {size[0]} and "
                    f"{pixels.shape[1]} x {pixels.shape[0]}; give an animation, or compress each by itself"
                )
            if pixels.shape[2] == 1:
                pixels = np.repeat(pixels, 3, axis=2)
            yield Frame(pixels, float(file.info.get("duration", 0)), _loop_of(file.format, file.info), metadata)
        file.seek(stood_at)


def _loop_of(file_format: str | None, info: dict[str | tuple[int, int], object]) -> int:
    """Give how often all is played; GIF counts what follows on the first time, and says nothing for once."""
    loop = info.get("loop", 1 if file_format == "GIF" else 0)
    if not isinstance(loop, int):
        return 0
    return loop + 1 if file_format == "GIF" and "loop" in info and loop > 0 else loop
