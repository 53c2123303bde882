"""kmc.compress and kmc.kmeans against what a user would take instead: time, error, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peak_memory
import photographs
import pytest
from rivals import RIVALS, equal_threads

from kmc.evaluate import mse, psnr


# A library may warn, for example of fewer distinct colours than k; that must not end the run.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", RIVALS)
def test_rival(benchmark: Any, measure: Any, picture: Path, k: int, name: str, threads: int) -> None:
    rival = RIVALS[name]
    if missing := rival.missing():
        pytest.skip(missing)
    pixels = photographs.rgb(picture)
    rival.quantize(photographs.noise(), 2, threads)  # loads the library
    with equal_threads(threads):
        palette, indices = measure(lambda: rival.quantize(pixels, k, threads))
    compressed = palette[indices]
    benchmark.extra_info.update(
        rival=name,
        settings=rival.settings,
        picture=picture.name,
        width=pixels.shape[1],
        height=pixels.shape[0],
        k=k,
        mse=mse(pixels, compressed),
        psnr=psnr(pixels, compressed),
        peak_mib=peak_memory.peak_mib("rival", name, picture, k, threads),
    )
