"""How long each stage of kmc takes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peak_memory
import pytest
from stages import STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_stage(benchmark: Any, measure: Any, picture: Path, k: int, stage: str, threads: int) -> None:
    call = STAGES[stage](picture, k, threads)
    measure(call.run, call.arguments)
    benchmark.extra_info.update(
        stage=stage,
        meaning=STAGES[stage].__doc__,
        moved=call.moved,
        picture=picture.name,
        k=k,
        peak_mib=peak_memory.peak_mib("stage", stage, picture, k, threads),
    )
