"""The C kernels without Python: neon_harness.c compares instruction sets, here and on an emulated AArch64."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno"]  # as in setup.py
# Full debug information (-g) takes the compiler minutes for one file.
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-O1"]
CROSS_COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"

pytestmark = pytest.mark.skipif(not (ROOT / "src_c").is_dir(), reason="the C sources are not here")


def native_compiler() -> str:
    names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    found = [name for name in names if name and shutil.which(name)]
    if not found:
        pytest.skip("needs a C compiler that takes GCC's options")
    return found[0]


def build(compiler: str, program: Path, flags: list[str]) -> Path:
    """Compile the sources side by side, then link them; dithering has no cases and takes the longest to compile."""
    command = [compiler, *FLAGS, *flags, f"-I{ROOT / 'src_c'}"]

    def compiled(source: Path) -> str:
        target = program.with_name(f"{source.stem}.o")
        subprocess.run([*command, "-c", str(source), "-o", str(target)], check=True, timeout=600)
        return str(target)

    kernels = [source for source in sorted((ROOT / "src_c").rglob("*.c")) if not source.name.startswith("dither")]
    sources = [ROOT / "tests" / "neon_harness.c", *kernels]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, sources))
    subprocess.run([*command, *objects, "-o", str(program), "-lm"], check=True, timeout=600)
    return program


def digests_of_runs(command: list[str]) -> list[str]:
    """Run both halves of the harness side by side; give the digests of what generic C computed: the same everywhere."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda part: digest_of_run([*command, part, "2"]), "01"))


def digest_of_run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("differences: 0\n"), done.stdout
    found = re.search(r"^digest: ([0-9a-f]{16})$", done.stdout, flags=re.MULTILINE)
    assert found, done.stdout
    return found[1]


@pytest.fixture(scope="module")
def native_digests(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    program = build(native_compiler(), tmp_path_factory.mktemp("native") / "harness", [])
    return digests_of_runs([str(program)])


def test_every_instruction_set_equals_generic_c(native_digests: list[str]) -> None:
    assert len(native_digests) == 2


def test_kernels_keep_to_their_arrays(native_digests: list[str], tmp_path: Path) -> None:
    """The same under the address and undefined-behaviour sanitizers."""
    compiler = native_compiler()
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    command = [compiler, *SANITIZERS, str(probe), "-o", str(tmp_path / "probe")]
    if sys.platform == "win32" or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{compiler} has no sanitizers here")
    program = build(compiler, tmp_path / "harness", SANITIZERS)
    assert digests_of_runs([str(program)]) == native_digests


@pytest.mark.skipif(not shutil.which(CROSS_COMPILER), reason=f"{CROSS_COMPILER} is not installed")
@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"{EMULATOR} is not installed")
def test_neon_equals_generic_c(native_digests: list[str], tmp_path: Path) -> None:
    program = build(CROSS_COMPILER, tmp_path / "harness", ["-static"])
    assert digests_of_runs([EMULATOR, str(program)]) == native_digests
