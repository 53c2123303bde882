"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

import kmc
from kmc import _isa


@pytest.fixture(params=kmc.instruction_sets())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on every instruction set that this processor has."""
    before = kmc.instruction_set()
    _isa.use(request.param)
    assert kmc.instruction_set() == request.param
    yield request.param
    _isa.use(before)


@pytest.fixture(scope="session")
def china() -> NDArray[np.uint8]:
    """A real photograph, (427, 640, 3) uint8, that scikit-learn ships."""
    datasets = pytest.importorskip("sklearn.datasets")
    return np.ascontiguousarray(datasets.load_sample_image("china.jpg"))


@pytest.fixture(scope="session")
def flower() -> NDArray[np.uint8]:
    """A real photograph, (427, 640, 3) uint8, that scikit-learn ships."""
    datasets = pytest.importorskip("sklearn.datasets")
    return np.ascontiguousarray(datasets.load_sample_image("flower.jpg"))
