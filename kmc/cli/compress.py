"""``kmc compress``: one picture to a palette picture."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmc.cli._arguments import Commands, finite, number_or_word, whole_number
from kmc.errors import KmcFileError, KmcValueError

if TYPE_CHECKING:
    from kmc.compressed_image import CompressedImage
    from kmc.encode import Format
    from kmc.load import Picture

__all__ = ["add_compress"]

_HELP = """\
Reduce a picture to k colours with k-means and write it as a small palette picture (PNG).

examples:
  kmc compress photo.jpg                        16 colours, to photo-kmc.png
  kmc compress photo.jpg -k 64 -o small.png
  kmc compress photo.jpg --init random --num-iterations 10 --seed 1
  kmc compress photo.jpg --preset looks         dithered, for the eye
  kmc compress photo.jpg --preset small --optimize max
  kmc compress huge.tif --effort fast           when milliseconds count more than 3 % of MSE
  kmc compress huge.tif --downsample 1.5MP      fit the palette on 1.5 megapixels
"""

_JSON = """\
--json prints one object with these keys:
  input, output               the two paths
  width, height, channels     of the picture; 1 channel is grey, 3 RGB, 4 RGBA
  k, colors                   the colours asked for and those in the palette
  lossless                    true if every pixel kept its colour
  n_iter, converged           rounds of k-means that ran, and whether they came to rest
  mse, psnr                   over all 8-bit samples; psnr in dB, null where it is infinite
  bytes_before, bytes_after   sizes of the two files
  seconds                     from opening the one file to having written the other
  timings                     seconds of each stage between
"""


def add_compress(commands: Commands) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "compress",
        help="reduce a picture to k colours",
        description=_HELP,
        epilog=_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", metavar="IN", help="the picture, in any format that Pillow reads")
    add("-k", type=whole_number, default=16, metavar="N", help="colours, 1 to 256 (default 16)")
    add(
        "-o",
        "--output",
        metavar="OUT.png",
        help="the file to write; replaced if it exists, and it may be IN itself "
        "(default: IN's name with -kmc.png for its ending, which must not exist yet)",
    )
    add(
        "--init",
        choices=("auto", "random", "k-means++"),
        default="auto",
        help="how the first colours are chosen (default auto)",
    )
    add(
        "--effort",
        choices=("fast", "balanced", "best"),
        default="balanced",
        help="fast: from a sample, in few rounds; best: searches on for less error (default balanced)",
    )
    add(
        "--preset",
        choices=("exact", "looks", "small"),
        default="exact",
        help="exact: plain k-means, the least MSE; looks: Oklab and dithering fitted to the eye; "
        "small: the same in the smallest file (default exact)",
    )
    add(
        "--space",
        choices=("srgb", "oklab"),
        help="in which distances are measured: srgb for the least MSE, oklab for the eye (default: the preset's)",
    )
    add(
        "--dither",
        type=number_or_word,
        metavar="D",
        help="0 for none, up to 1 for error diffusion, or blue-noise (default: the preset's)",
    )
    add(
        "--compactness",
        type=float,
        metavar="C",
        help="0 for none; above, indices that repeat are taken where that costs little: a bit saved may cost C "
        "times the mean error (default: the preset's)",
    )
    add(
        "--optimize",
        choices=("fast", "default", "max"),
        default="default",
        help="how much time a smaller file may take; max needs kmc-image[max] (default default)",
    )
    add(
        "--num-iterations",
        type=whole_number,
        metavar="N",
        help="at most so many rounds of k-means (default: until it converges)",
    )
    add(
        "--downsample",
        type=number_or_word,
        metavar="LIMIT",
        help="fit the colours on a smaller picture: a number divides both sides by it, "
        "1.5MP allows so many megapixels; all pixels of IN are written",
    )
    add("--seed", type=whole_number, default=0, metavar="N", help="of all chance (default 0)")
    add("--threads", type=whole_number, metavar="N", help="at most so many (default: all cores)")
    add("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_compress)


def _compress(arguments: argparse.Namespace) -> str:
    from kmc.api import compress
    from kmc.encode import check_target, format_of
    from kmc.load import load

    output = arguments.output or _default_output(arguments.input)
    _check_k(arguments.k, format_of(output))
    start = time.perf_counter()
    picture = load(arguments.input)
    check_target(output)  # before the work and not only after it
    compressed = compress(
        picture,
        arguments.k,
        num_iterations=arguments.num_iterations,
        init=arguments.init,
        effort=arguments.effort,
        preset=arguments.preset,
        space=arguments.space,
        dither=arguments.dither,
        compactness=arguments.compactness,
        downsample=arguments.downsample,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    compressed.save(output, optimize=arguments.optimize, threads=arguments.threads)
    seconds = time.perf_counter() - start
    record = _compress_record(arguments, output, picture, compressed, seconds)
    return json.dumps(record) if arguments.json else _compress_text(record)


def _default_output(path: str) -> str:
    output = Path(path).parent / f"{Path(path).stem}-kmc.png"
    if output.exists():
        raise KmcFileError(f"{str(output)!r} exists already; name it with -o to replace it, or give another name")
    return str(output)


def _check_k(k: int, file_format: Format) -> None:
    if not 1 <= k <= file_format.max_colors:
        raise KmcValueError(
            f"k is {k}; a {file_format.name} palette holds 1 to {file_format.max_colors} colours, "
            "so give a k in that range"
        )


def _compress_record(
    arguments: argparse.Namespace,
    output: str,
    picture: Picture,
    compressed: CompressedImage,
    seconds: float,
) -> dict[str, Any]:
    return {
        "input": arguments.input,
        "output": output,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "k": arguments.k,
        "colors": len(compressed.palette),
        "lossless": compressed.lossless,
        "n_iter": compressed.n_iter,
        "converged": compressed.converged,
        "mse": compressed.mse,
        "psnr": finite(compressed.psnr),
        "bytes_before": picture.n_bytes,
        "bytes_after": Path(output).stat().st_size,
        "seconds": round(seconds, 6),
        "timings": {stage: round(duration, 6) for stage, duration in compressed.timings.items()},
    }


def _compress_text(record: dict[str, Any]) -> str:
    before, after = record["bytes_before"], record["bytes_after"]
    return (
        f"{record['input']} -> {record['output']}\n"
        f"{record['width']} x {record['height']} pixels, {record['colors']} colours "
        f"(k = {record['k']}), {record['seconds']:.3f} s\n"
        f"{_error_text(record)}\n"
        f"{before:,} -> {after:,} bytes ({after / before:.1%} of the original)"
    )


def _error_text(record: dict[str, Any]) -> str:
    if record["psnr"] is None:
        return "MSE 0, PSNR infinite: every pixel kept its colour"
    return f"MSE {record['mse']:.4g}, PSNR {record['psnr']:.2f} dB"
