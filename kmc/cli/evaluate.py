"""``kmc evaluate``: a compressed picture beside its original."""

from __future__ import annotations

import argparse
import json
import math

from kmc.cli._arguments import Commands, add_command, names

__all__ = ["add_evaluate"]

_HELP = """\
Compare a compressed picture with its original: MSE, PSNR, SSIM, colours and file sizes.

examples:
  kmc evaluate photo.jpg photo-kmc.png
  kmc evaluate photo.jpg photo-kmc.png --metrics all    how it looks, too; takes longer
"""

_JSON = """\
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


def add_evaluate(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "evaluate", "compare a compressed picture with its original", _HELP, _JSON)
    parser.add_argument("original", metavar="A", help="the original picture")
    parser.add_argument("compressed", metavar="B", help="the compressed picture, of the same size")
    parser.add_argument(
        "--metrics",
        type=names,
        default="core",
        metavar="NAMES",
        help="what to measure beside MSE, PSNR and SSIM: some of ciede2000,ms_ssim,ssimulacra2 with commas between "
        "them, or all (ssimulacra2 only if its package is installed) (default core: nothing)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> str:
    from kmc.evaluate import evaluate

    evaluation = evaluate(arguments.original, arguments.compressed, metrics=arguments.metrics)
    if arguments.json:
        return json.dumps({**evaluation.to_dict(), "lossless": math.isinf(evaluation.psnr)})
    return str(evaluation)
