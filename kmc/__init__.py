"""kmc: pictures with few colours, by k-means.

``kmc.compress(picture, 16).save("small.png")`` is all that most people need. The README shows more.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from kmc import errors as errors
from kmc._version import __version__

TYPE_CHECKING = False  # but to type checkers; typing, which says the same, takes as long to load as all of this
if TYPE_CHECKING:
    from kmc._isa import instruction_set, instruction_sets
    from kmc._threads import max_threads
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

# Where a name is defined. That module is loaded when the name is first asked for: ``kmc --help`` needs neither numpy
# nor the kernels, which take a third of a second.
_HOMES = {
    "ColorHistogram": "kmc.histogram",
    "CompressedAnimation": "kmc.compressed_animation",
    "CompressedImage": "kmc.compressed_image",
    "Evaluation": "kmc.evaluate",
    "FileResult": "kmc.many",
    "FileResults": "kmc.many",
    "KMeansResult": "kmc.kmeans",
    "KScore": "kmc.selection.k_selection",
    "KSelection": "kmc.selection.k_selection",
    "Palette": "kmc.palette",
    "choose_k": "kmc.choose_k",
    "compress": "kmc.api",
    "compress_animation": "kmc.animation",
    "compress_many": "kmc.many",
    "evaluate": "kmc.evaluate",
    "fit_palette": "kmc.api",
    "instruction_set": "kmc._isa",
    "instruction_sets": "kmc._isa",
    "kmeans": "kmc.kmeans",
    "max_threads": "kmc._threads",
    "silhouette_score": "kmc.selection.cluster_scores",
    "_kernels": "kmc._isa",  # whoever needs them first: loaded as kmc._openmp says, KMC_ISA obeyed
}


class _Package(ModuleType):
    """The package, with the names of `_HOMES`."""

    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and value.__name__ == _HOMES.get(name):
            value = getattr(value, name)  # kmc.evaluate is the function, also after its module was imported
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return [*__all__, "errors"]


sys.modules[__name__].__class__ = _Package
