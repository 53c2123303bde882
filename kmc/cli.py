"""The command ``kmc``: ``compress`` and ``evaluate`` for files.

Data go to stdout, messages to stderr, one line each. Exit code 0 is success, 1 failure, 2 wrong
usage, 130 Ctrl-C, 141 a reader that went away (as in ``kmc ... | head -0``). What is slow to
import is imported where it is used, so that ``kmc --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kmc._version import __version__
from kmc.errors import KmcError, KmcFileError, KmcValueError

if TYPE_CHECKING:
    from kmc.compressed_image import CompressedImage
    from kmc.encode import Format
    from kmc.load import Picture

__all__ = ["main"]

_COMPRESS_HELP = """\
Reduce a picture to k colours with k-means and write it as a small palette picture (PNG).

examples:
  kmc compress photo.jpg                        16 colours, to photo-kmc.png
  kmc compress photo.jpg -k 64 -o small.png
  kmc compress photo.jpg --init random --num-iterations 10 --seed 1
  kmc compress photo.jpg --preset looks         dithered, for the eye
  kmc compress huge.tif --effort fast           when milliseconds count more than 3 % of MSE
  kmc compress huge.tif --downsample 1.5MP      fit the palette on 1.5 megapixels
"""

_COMPRESS_JSON = """\
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

_EVALUATE_HELP = """\
Compare a compressed picture with its original: MSE, PSNR, SSIM, colours and file sizes.

examples:
  kmc evaluate photo.jpg photo-kmc.png
  kmc evaluate photo.jpg photo-kmc.png --metrics all    how it looks, too; takes longer
"""

_EVALUATE_JSON = """\
--json prints one object with these keys:
  mse, psnr                           over all 8-bit samples; psnr in dB, null where infinite
  ssim                                1 if identical, null below 11 x 11 pixels
  lossless                            true if no pixel differs
  colors_original, colors_compressed  distinct colours
  bytes_original, bytes_compressed    sizes of the files
  bits_per_pixel                      8 * bytes_compressed / number of pixels
  compression_ratio                   bytes_original / bytes_compressed
  ciede2000, ciede2000_p95            colour difference, mean and 95th percentile; 0 if identical
  ms_ssim                             1 if identical, null below 176 x 176 pixels
  ssimulacra2                         100 if identical, null below 8 x 8 pixels
The last four are null unless --metrics asks for them. Of pictures with transparency each is the
worst on black, on white and on a checkerboard.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version`` (0), and on wrong usage (2).
    """
    try:
        arguments = _make_parser().parse_args(argv)
        text = arguments.run(arguments)
        # A file name may hold bytes that stdout's encoding has no character for.
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        # What is still buffered must not fail once more when the interpreter flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        return _fail("not enough memory for this picture; give a smaller one")
    except (KmcError, OSError) as error:
        return _fail(str(error))
    return 0


def _fail(message: str, exit_code: int = 1) -> int:
    print("kmc:", " ".join(message.split()), file=sys.stderr)
    return exit_code


class _Parser(argparse.ArgumentParser):
    """A parser that states what is wrong in one line, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"kmc: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    """Print version, instruction set and threads; they are looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_args: object) -> None:
        import kmc

        threads = kmc.max_threads()
        print(f"kmc {__version__} ({kmc.instruction_set()}, {threads} thread{'s'[threads == 1 :]})")
        parser.exit()


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kmc",
        description="Compress pictures with k-means.",
        epilog="kmc COMMAND --help tells more, with examples.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        help="print the version, the instruction set in use and the number of threads",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    _add_compress(commands)
    _add_evaluate(commands)
    return parser


def _add_compress(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "compress",
        help="reduce a picture to k colours",
        description=_COMPRESS_HELP,
        epilog=_COMPRESS_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", metavar="IN", help="the picture, in any format that Pillow reads")
    add("-k", type=_whole_number, default=16, metavar="N", help="colours, 1 to 256 (default 16)")
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
        choices=("exact", "looks"),
        default="exact",
        help="exact: plain k-means, the least MSE; looks: Oklab and dithering fitted to the eye (default exact)",
    )
    add(
        "--space",
        choices=("srgb", "oklab"),
        help="in which distances are measured: srgb for the least MSE, oklab for the eye (default: the preset's)",
    )
    add(
        "--dither",
        type=_amount_or_word,
        metavar="D",
        help="0 for none, up to 1 for error diffusion, or blue-noise (default: the preset's)",
    )
    add(
        "--num-iterations",
        type=_whole_number,
        metavar="N",
        help="at most so many rounds of k-means (default: until it converges)",
    )
    add(
        "--downsample",
        type=_factor_or_megapixels,
        metavar="LIMIT",
        help="fit the colours on a smaller picture: a number divides both sides by it, "
        "1.5MP allows so many megapixels; all pixels of IN are written",
    )
    add("--seed", type=_whole_number, default=0, metavar="N", help="of all chance (default 0)")
    add("--threads", type=_whole_number, metavar="N", help="at most so many (default: all cores)")
    add("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_compress)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is not a whole number; give one such as 16"
        raise argparse.ArgumentTypeError(message) from None


def _amount_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # compress() knows which words mean something


def _factor_or_megapixels(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # downsample() knows which texts mean something


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
        downsample=arguments.downsample,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    compressed.save(output)
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
        "psnr": _finite(compressed.psnr),
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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no infinity


def _add_evaluate(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="compare a compressed picture with its original",
        description=_EVALUATE_HELP,
        epilog=_EVALUATE_JSON,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("original", metavar="A", help="the original picture")
    parser.add_argument("compressed", metavar="B", help="the compressed picture, of the same size")
    parser.add_argument(
        "--metrics",
        type=_names,
        default="core",
        metavar="NAMES",
        help="what to measure beside MSE, PSNR and SSIM: some of ciede2000,ms_ssim,ssimulacra2 with commas between "
        "them, or all (ssimulacra2 only if its package is installed) (default core: nothing)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_evaluate)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]  # evaluate() knows them


def _evaluate(arguments: argparse.Namespace) -> str:
    from kmc.evaluate import evaluate

    evaluation = evaluate(arguments.original, arguments.compressed, metrics=arguments.metrics)
    if arguments.json:
        return json.dumps({**evaluation.to_dict(), "lossless": math.isinf(evaluation.psnr)})
    return str(evaluation)
