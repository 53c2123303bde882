"""kmc: pictures with few colours, by k-means.

``kmc.compress(picture, 16).save("small.png")`` is all that most people need. The README shows more.
"""

from kmc import _openmp  # noqa: F401  (before all that loads the kernels)
from kmc._isa import instruction_set, instruction_sets
from kmc._threads import max_threads
from kmc._version import __version__
from kmc.animation import compress_animation
from kmc.api import compress, fit_palette
from kmc.choose_k import choose_k
from kmc.compressed_animation import CompressedAnimation
from kmc.compressed_image import CompressedImage
from kmc.evaluate import Evaluation, evaluate
from kmc.histogram import ColorHistogram
from kmc.kmeans import KMeansResult, kmeans
from kmc.many import FileResult, FileResults, compress_many
from kmc.palette import Palette
from kmc.selection.cluster_scores import silhouette_score
from kmc.selection.k_selection import KScore, KSelection

__all__ = [
    "ColorHistogram",
    "CompressedAnimation",
    "CompressedImage",
    "Evaluation",
    "FileResult",
    "FileResults",
    "KMeansResult",
    "KScore",
    "KSelection",
    "Palette",
    "__version__",
    "choose_k",
    "compress",
    "compress_animation",
    "compress_many",
    "evaluate",
    "fit_palette",
    "instruction_set",
    "instruction_sets",
    "kmeans",
    "max_threads",
    "silhouette_score",
]
