"""Options of the benchmarks of the stages, and how often a call is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import machine
import numpy as np
import photographs
import pytest

Measure: TypeAlias = Callable[..., Any]

# A call below 0.7 s is measured seven times; a longer one as often as fits in 5 s, at least once.
MOST_ROUNDS = 7
MOST_SECONDS = 5.0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kmc")
    group.addoption("--pictures", type=Path, metavar="FOLDER", help="measure on this folder's pictures too")
    group.addoption("--max-colors", default="16,64,256", metavar="K,K", help="values of k (%(default)s)")
    group.addoption(
        "--max-threads",
        type=int,
        default=machine.usable_cores(),
        metavar="N",
        help="threads for everything measured (default: all cores, here %(default)s)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    config = metafunc.config
    if "picture" in metafunc.fixturenames:
        folder = config.getoption("--pictures")
        paths = [photographs.china(), *(photographs.in_folder(folder) if folder else [])]
        metafunc.parametrize("picture", paths, ids=[path.name for path in paths])
    if "k" in metafunc.fixturenames:
        metafunc.parametrize("k", [int(k) for k in config.getoption("--max-colors").split(",")])


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--max-threads"))


@pytest.fixture
def measure(benchmark: Any) -> Measure:
    """Give a function that measures ``run(*arguments())`` and returns its result.

    The first call is not counted: it warms up and says how many rounds there is time for.
    """

    def measure(run: Callable[..., Any], arguments: Callable[[], tuple[Any, ...]] = tuple) -> Any:
        first_arguments = arguments()
        start = time.perf_counter()
        result = run(*first_arguments)
        seconds = time.perf_counter() - start
        rounds = int(np.clip(MOST_SECONDS / seconds, 1, MOST_ROUNDS))
        benchmark.pedantic(run, setup=lambda: (arguments(), {}), rounds=rounds)
        return result

    return measure


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    threads = config.getoption("--max-threads")
    machine_info["kmc"] = machine.describe(threads) | {"bytes_per_second": machine.bytes_per_second(threads)}
