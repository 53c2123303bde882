"""Colours of a profile (ICC), a number (PNG's cICP) or a gamma (gAMA and cHRM) -> sRGB, and the profile of a file.

Profiles are applied by LittleCMS through Pillow's ImageCms: relative colorimetric with black point compensation, as
picture editors do. A profile that cannot be read counts as none, as in browsers.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmc.errors import KmcImportError
from kmc.loading.array_pixels import row_strips
from kmc.loading.code_points import chromaticities_and_light
from kmc.loading.metadata import Metadata

if TYPE_CHECKING:
    from PIL import ImageCms

__all__ = ["PROFILES", "color_of", "for_file", "is_srgb", "profile_space", "srgb_from_cmyk", "to_srgb"]

# What becomes of a picture's profile.
PROFILES = ("keep", "srgb")

SRGB_CODES = (1, 13, 0, 1)
SRGB_GAMMA = 0.45455
SRGB_CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# Of how human eyes answer to light, for the change of white points (Bradford).
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_space(profile: bytes) -> str:
    """Give the kind of colours that an ICC profile describes, such as "RGB", "GRAY" or "CMYK"."""
    return profile[16:20].decode("ascii", "replace").strip()


def to_srgb(pixels: NDArray[np.uint8], metadata: Metadata) -> None:
    """Turn pixels (h, w, c) into sRGB in place, whatever their metadata says they are; alpha stays."""
    change = _change_of(metadata)
    if change is None:
        return
    if pixels.shape[2] == 1 or profile_space(metadata.icc_profile or b"") == "GRAY":
        ramp = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
        grey = change(ramp)[0, :, 1]
        pixels[..., :3] = grey[pixels[..., :3]]
        return
    for rows in row_strips(pixels.shape):
        pixels[rows, :, :3] = change(np.ascontiguousarray(pixels[rows, :, :3]))


def srgb_from_cmyk(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """Give a CMYK image in sRGB by its profile; None if that cannot be used."""
    transform = _transform(profile, "CMYK") if profile and profile_space(profile) == "CMYK" else None
    return transform.apply(image) if transform else None


@lru_cache(maxsize=16)
def is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile leaves all of 512 colours within a step of where sRGB has them."""
    transform = _transform(profile, "RGB")
    if transform is None:
        return False
    levels = np.linspace(0, 255, 8).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    changed = np.asarray(transform.apply(Image.fromarray(colors)))
    return bool(np.abs(changed.astype(int) - colors).max() <= 1)


def color_of(metadata: Metadata) -> Metadata:
    """Give what of it says how colours look; nothing if they are sRGB, as far as is known."""
    if _change_of(metadata) is None or (
        metadata.cicp is None and metadata.icc_profile and is_srgb(metadata.icc_profile)
    ):
        return Metadata()
    return Metadata(
        icc_profile=metadata.icc_profile,
        cicp=metadata.cicp,
        gamma=metadata.gamma,
        chromaticities=metadata.chromaticities,
    )


def for_file(
    colors: NDArray[np.uint8], metadata: Metadata, kept: str, holds_profile: bool, holds_gamma: bool
) -> tuple[NDArray[np.uint8], Metadata]:
    """Give palette colours (k, c) and what is written beside them.

    Without their profile colours would be shown wrong: where it is not to be written, or the format has no place for
    it, they become sRGB, which is what readers take them for. A profile that is sRGB itself is 3 kB that say nothing;
    only ``kept="all"`` writes it.
    """
    metadata = metadata if kept == "all" else metadata.for_display()
    if metadata.icc_profile and holds_profile and not holds_gamma:  # the same for readers that do not know the numbers
        metadata = replace(metadata, cicp=None)
    if kept != "all" and not metadata.cicp and metadata.icc_profile and is_srgb(metadata.icc_profile):
        metadata = metadata.without_color()
    has_place = holds_gamma or (holds_profile and metadata.icc_profile)
    if kept == "none" or not has_place:
        converted = colors[np.newaxis].copy()
        to_srgb(converted, metadata)
        colors, metadata = converted[0], metadata.without_color()
    return colors, Metadata() if kept == "none" else metadata


def _change_of(metadata: Metadata) -> Any:
    """Give the function from pixels (h, w, 3) to those in sRGB; None if they are sRGB, as far as is known."""
    coded = chromaticities_and_light(metadata.cicp)
    if coded:
        return _change_of_light(*coded, is_usual=metadata.cicp == SRGB_CODES)
    profile = metadata.icc_profile
    if profile:
        is_grey = profile_space(profile) == "GRAY"
        transform = _transform(profile, "L" if is_grey else "RGB")
        if transform is None:
            return None
        return lambda pixels: np.asarray(transform.apply(Image.fromarray(pixels[..., 0] if is_grey else pixels)))
    gamma, primaries = metadata.gamma, metadata.chromaticities or SRGB_CHROMATICITIES
    if metadata.srgb_intent is not None or gamma is None:
        return None
    is_usual = abs(gamma - SRGB_GAMMA) < 1e-3 and np.allclose(primaries, SRGB_CHROMATICITIES, atol=1e-3)
    return _change_of_light(primaries, (np.arange(256) / 255) ** (1 / gamma), is_usual=is_usual)


def _change_of_light(chromaticities: tuple[float, ...], light: NDArray[np.float64], *, is_usual: bool) -> Any:
    """Give the function from pixels to those in sRGB, `light` (256,) being that of each sample; None if they are."""
    if is_usual:
        return None
    has_usual_primaries = np.allclose(chromaticities, SRGB_CHROMATICITIES, atol=1e-3)
    matrix = np.eye(3) if has_usual_primaries else _matrix_to_srgb(chromaticities)
    return lambda pixels: _encoded(light[pixels] @ matrix.T)


def _encoded(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Give samples of sRGB (IEC 61966-2-1) of light from 0 to 1."""
    light = np.clip(light, 0, 1)
    samples = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    encoded: NDArray[np.uint8] = np.rint(255 * samples).astype(np.uint8)
    return encoded


def _matrix_to_srgb(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    """Give the matrix from light of these primaries to that of sRGB's; the identity where there is none."""
    try:
        to_xyz, white = _to_xyz(chromaticities)
        srgb_to_xyz, srgb_white = _to_xyz(SRGB_CHROMATICITIES)
        adaption = np.linalg.solve(BRADFORD, np.diag((BRADFORD @ srgb_white) / (BRADFORD @ white)) @ BRADFORD)
        return np.asarray(np.linalg.solve(srgb_to_xyz, adaption @ to_xyz), dtype=np.float64)
    except (np.linalg.LinAlgError, ZeroDivisionError):  # points on a line, or no light
        return np.eye(3)


def _to_xyz(chromaticities: tuple[float, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the matrix (3, 3) from light of the primaries to XYZ, and XYZ (3,) of white."""
    white, *primaries = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in _pairs(chromaticities))
    columns = np.stack(primaries, axis=1)
    return columns * np.linalg.solve(columns, white), white


def _pairs(numbers: tuple[float, ...]) -> list[tuple[float, float]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Prepare the way from a profile's colours, in one of Pillow's modes, to sRGB; None if it cannot be read."""
    from PIL import ImageCms

    try:
        return ImageCms.ImageCmsTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # For grey LittleCMS's tables are 10 steps wrong in the dark at a gamma of 1; 256 levels need none.
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0),
        )
    except ImportError:
        raise KmcImportError(
            "this Pillow was built without LittleCMS, which turns colours into sRGB; install Pillow's own wheel"
        ) from None
    except Exception:  # OSError and others of LittleCMS
        return None
