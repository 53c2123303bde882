"""kmc: pictures with few colours, by k-means."""

from kmc._version import __version__
from kmc.kmeans import KMeansResult, kmeans

__all__ = ["KMeansResult", "__version__", "kmeans"]
