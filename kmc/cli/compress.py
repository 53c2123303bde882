"""``kmc compress``: pictures to palette pictures; several of them in folder.py."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmc.cli._arguments import Commands, add_command, finite, number_or_word, unused_name, whole_number
from kmc.cli._file_options import add_file_options, file_options
from kmc.cli.folder import compress_folder, is_for_many
from kmc.errors import KmcValueError

if TYPE_CHECKING:
    from kmc.compressed_animation import CompressedAnimation
    from kmc.compressed_image import CompressedImage
    from kmc.encode import Format
    from kmc.load import Picture

__all__ = ["add_compress"]

_HELP = """\
Reduce pictures to k colours with k-means and write them as small palette pictures (PNG).

examples:
  kmc compress photo.jpg                        16 colours, to photo-kmc.png
  kmc compress photo.jpg -k 64 -o small.png
  kmc compress photo.jpg --preset looks         dithered, for the eye
  kmc compress photo.jpg --preset small --optimize max
  kmc compress photos/ -o small/ -k 64 --recursive
  kmc compress 'icons/*.png' --in-place     replace each by its result, if that is smaller
  kmc compress a.png b.png --ext -small.png     to a-small.png and b-small.png
  kmc compress film.gif -k 64 --dither blue-noise -o small.gif
  curl -s URL | kmc compress - -o - > small.png
  kmc compress photo.jpg --init random --num-iterations 10 --seed 1
  kmc compress huge.tif --effort fast           when milliseconds count more than 3 % of MSE
  kmc compress huge.tif --downsample 1.5MP      fit the palette on 1.5 megapixels
"""

_JSON = """\
Animations stay animations, one palette for all frames. Several pictures go to PNG, but animated
GIF and WebP files stay such; what the result could not hold, as a file of pages, is kept as it is.
--preset small, --compactness, --optimize and targets of quality or size are for still pictures.

Of several pictures those that fail are reported and the rest go on; the exit code is then 1. A
second run skips what is done. Ctrl-C leaves every file whole.

--json prints one object with these keys:
  input, output               the two paths
  width, height, channels     of the picture; 1 channel is grey, 3 RGB, 4 RGBA
  frames                      of an animation; 1 of a still picture
  k, colors                   the colours asked for and those in the (largest) palette
  lossless                    true if every pixel kept its colour
  n_iter, converged           rounds of k-means that ran, and whether they came to rest; null of
                              animations
  mse, psnr                   over all 8-bit samples; psnr in dB, null where it is infinite
  bytes_before, bytes_after   sizes of the two files
  seconds                     from opening the one file to having written the other
  timings                     seconds of each stage between; of animations none
Of several pictures it prints a line for each as it finishes: input, output, outcome (compressed;
kept: the original is not larger, or the result cannot be as asked; skipped: done already;
failed), message, bytes_before, bytes_after, width, height, frames, colors, psnr, seconds.
"""


def add_compress(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "compress", "reduce pictures to k colours", _HELP, _JSON)
    add = parser.add_argument
    add(
        "inputs",
        metavar="IN",
        nargs="+",
        help="the picture, in any format that Pillow reads, - for stdin; or several, folders and patterns",
    )
    add(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write, - for stdout; replaced if it exists, and it may be IN itself (default: IN's name with "
        "-kmc.png for its ending, or -kmc.gif of an animated GIF, which must not exist yet); of several pictures the "
        "folder to write to",
    )
    _add_colors(parser.add_argument_group("how many colours, and which"))
    _add_kmeans(parser.add_argument_group("how they are found"))
    _add_mapping(parser.add_argument_group("how pixels get them"))
    add_file_options(parser.add_argument_group("the files"))
    _add_several(parser.add_argument_group("several pictures"))
    group = parser.add_argument_group("the run")
    group.add_argument("--threads", type=whole_number, metavar="N", help="at most so many (default: all cores)")
    group.add_argument("--json", action="store_true", help="print JSON instead of text")
    group.add_argument("-q", "--quiet", action="store_true", help="print failures only")
    parser.set_defaults(run=_compress)


def _add_colors(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-k", type=whole_number, metavar="N", help="colours, 1 to 256, in WebP 65536 (default 16; 256 with a target)")
    add("--min-psnr", type=float, metavar="DB", help="the fewest colours, up to -k, that reach so many dB")
    add("--min-ssim", type=float, metavar="S", help="the fewest colours, up to -k, that reach this SSIM (up to 1)")
    add(
        "--quality",
        metavar="MIN-MAX",
        help="on pngquant's scale from 0 to 100: the fewest colours that reach MAX, or all where they reach MIN",
    )
    add(
        "--max-bytes",
        type=whole_number,
        metavar="N",
        help="the most colours, up to -k, whose PNG file has at most so many bytes. Where these four are out of reach "
        "nothing is written and the exit code is 99",
    )
    given = group.add_mutually_exclusive_group()
    given.add_argument(
        "--palette", metavar="FILE", help="use exactly the colours of this .gpl or .hex file; -k is then their number"
    )
    given.add_argument(
        "--fixed",
        metavar="COLORS",
        help="colours that the palette must have, such as '#ff0000,#00ff00', or a .gpl or .hex file",
    )


def _add_kmeans(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--preset",
        choices=("exact", "looks", "small"),
        default="exact",
        help="exact: plain k-means, the least MSE; looks: Oklab and dithering fitted to the eye; "
        "small: the same in the smallest file (default exact)",
    )
    add(
        "--effort",
        choices=("fast", "balanced", "best"),
        default="balanced",
        help="fast: from a sample, in few rounds; best: searches on for less error (default balanced)",
    )
    add(
        "--space",
        choices=("srgb", "oklab"),
        help="in which distances are measured: srgb for the least MSE, oklab for the eye (default: the preset's)",
    )
    add(
        "--weighting",
        choices=("pixels", "flatness"),
        default="pixels",
        help="pixels: all count the same; flatness: those in flat areas count more, so that small things of one colour "
        "keep it (default pixels)",
    )
    add(
        "--downsample",
        type=number_or_word,
        metavar="LIMIT",
        help="fit the colours on a smaller picture: a number divides both sides by it, "
        "1.5MP allows so many megapixels; all pixels of IN are written",
    )
    add(
        "--init",
        choices=("auto", "random", "k-means++", "maximin", "wu", "pca"),
        default="auto",
        help="how the first colours are chosen (default auto)",
    )
    add(
        "--num-iterations",
        type=whole_number,
        metavar="N",
        help="at most so many rounds of k-means (default: until it converges)",
    )
    add("--seed", type=whole_number, default=0, metavar="N", help="of all random numbers (default 0)")


def _add_mapping(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
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


def _add_several(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-r", "--recursive", action="store_true", help="look into the folders within folders")
    add("--in-place", action="store_true", help="replace the originals; their permissions and times stay")
    add(
        "--ext",
        metavar="ENDING",
        help="what results' names end in, in place of the originals' endings, such as -small.png (default: .png in a "
        "folder of their own, else -kmc.png; animated GIF and WebP files keep their own)",
    )
    add(
        "--skip-if-larger",
        action=argparse.BooleanOptionalAction,
        help="keep the original if the result is not smaller (default: for several pictures only)",
    )
    add("--force", action="store_true", help="do again what an earlier run did")
    add(
        "--jobs",
        type=whole_number,
        metavar="N",
        help="pictures at a time, among which the threads are shared out (default: one for each thread)",
    )


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the arguments of kmc.compress() beside picture, k and threads."""
    from kmc.cli._palettes import given_colors

    names = (
        "num_iterations",
        "init",
        "effort",
        "preset",
        "space",
        "dither",
        "compactness",
        "weighting",
        "downsample",
        "seed",
        "profile",
        "max_pixels",
    )
    targets = ("min_psnr", "min_ssim", "quality", "max_bytes")
    if arguments.k is None:
        arguments.k = 16 if all(getattr(arguments, target) is None for target in targets) else 256
    return {**{name: getattr(arguments, name) for name in (*names, *targets)}, "fixed": given_colors(arguments)}


def _compress(arguments: argparse.Namespace) -> str | None:
    options = _options(arguments)
    if is_for_many(arguments):
        return compress_folder(arguments, options)
    return _compress_one(arguments, arguments.inputs[0], options)


def _compress_one(arguments: argparse.Namespace, name: str, options: dict[str, Any]) -> str | None:
    from kmc.encode import check_target, format_of, write_atomically
    from kmc.treatment import Treatment

    to_stdout = arguments.output == "-" or (name == "-" and arguments.output is None)
    if to_stdout and arguments.json:
        raise KmcValueError("--json and the picture would both go to stdout; name a file with -o")
    file_format = format_of("-.png" if to_stdout or arguments.output is None else arguments.output)
    _check_k(arguments.k, file_format)
    treatment = Treatment(arguments.k, {**options, "threads": arguments.threads}, **file_options(arguments, "default"))
    start = time.perf_counter()
    image = sys.stdin.buffer.read() if name == "-" else name
    picture = treatment.load(image, "stdin")
    output = "-" if to_stdout else arguments.output
    if output is None:
        output = _default_output(Path(name), picture.is_animated and treatment.keeps_frames(picture))
        file_format = format_of(output)
    if not to_stdout:
        check_target(output)  # before the work and not only after it
    compressed, data = treatment.compressed(image, picture, file_format, "stdin" if name == "-" else repr(name))
    before = picture.n_bytes or 0
    if arguments.skip_if_larger and len(data) >= before:
        if not to_stdout:
            return _kept_text(arguments, before, len(data))
        data = Path(image).read_bytes() if isinstance(image, str) else image
    if to_stdout:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return None
    write_atomically(output, data)
    seconds = time.perf_counter() - start
    record = _compress_record(arguments, output, picture, compressed, seconds)
    if arguments.quiet:
        return None
    return json.dumps(record) if arguments.json else _compress_text(record)


def _default_output(path: Path, stays_animation: bool) -> str:
    from kmc.file_plan import DEFAULT_MARK, STILL_ENDING, animation_ending

    ending = animation_ending(path) if stays_animation else STILL_ENDING
    return unused_name(path.parent / f"{path.stem}{DEFAULT_MARK}{ending}")


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
    compressed: CompressedImage | CompressedAnimation,
    seconds: float,
) -> dict[str, Any]:
    from kmc.compressed_image import CompressedImage
    from kmc.treatment import n_colors, n_frames

    still = compressed if isinstance(compressed, CompressedImage) else None
    return {
        "input": arguments.inputs[0],
        "output": output,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "frames": n_frames(compressed),
        "k": arguments.k,
        "colors": n_colors(compressed),
        "lossless": compressed.lossless,
        "n_iter": still.n_iter if still else None,
        "converged": still.converged if still else None,
        "mse": compressed.mse,
        "psnr": finite(compressed.psnr),
        "bytes_before": picture.n_bytes,
        "bytes_after": Path(output).stat().st_size,
        "seconds": round(seconds, 6),
        "timings": {stage: round(duration, 6) for stage, duration in still.timings.items()} if still else {},
    }


def _compress_text(record: dict[str, Any]) -> str:
    before, after = record["bytes_before"], record["bytes_after"]
    frames = f"{record['frames']} frames, " if record["frames"] > 1 else ""
    return (
        f"{record['input']} -> {record['output']}\n"
        f"{record['width']} x {record['height']} pixels, {frames}{record['colors']} colours "
        f"(k = {record['k']}), {record['seconds']:.3f} s\n"
        f"{_error_text(record)}\n"
        f"{before:,} -> {after:,} bytes ({after / before:.1%} of the original)"
    )


def _kept_text(arguments: argparse.Namespace, before: int, after: int) -> str | None:
    message = f"the result would have {after:,} bytes, the original has {before:,}"
    if arguments.json:
        return json.dumps({"input": arguments.inputs[0], "output": None, "outcome": "kept", "message": message})
    return None if arguments.quiet else f"{arguments.inputs[0]}: kept, {message}"


def _error_text(record: dict[str, Any]) -> str:
    if record["psnr"] is None:
        return "MSE 0, PSNR infinite: every pixel kept its colour"
    return f"MSE {record['mse']:.4g}, PSNR {record['psnr']:.2f} dB"
