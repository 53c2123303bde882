"""``compress_many()``: many files, several at a time, each wholly or not at all."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from PIL import Image

from kmc import _threads
from kmc._validate import choice, whole_number
from kmc.api import DEFAULT_COLORS, MOST_FILE_COLORS, compress
from kmc.encode import format_of, write_atomically
from kmc.errors import KmcError, KmcFileError, KmcQualityError, KmcValueError
from kmc.file_plan import PlannedFile, StrPath, plan_files
from kmc.formats.gif import palette_sizes
from kmc.treatment import FRAMES, Treatment, n_colors, n_frames

__all__ = ["FileResult", "FileResults", "compress_many"]

# Of a picture that every option can be tried on: SSIM takes 11 x 11 pixels.
TRIAL_SIZE = (16, 16)
TARGETS = ("min_psnr", "min_ssim", "quality", "max_bytes")

Outcome: TypeAlias = Literal["compressed", "kept", "skipped", "failed"]


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes
    ----------
    input : str
        The path of the original.
    output : str or None
        The file that holds the picture afterwards; None if there is none but the original.
    outcome : {"compressed", "kept", "skipped", "failed"}
        "kept": the result would not have been smaller, or could not have had the quality, the size or the frames, so
        the original stays (and is copied to the output folder, if there is one). "skipped": done by an earlier run.
    message : str
        Why it was kept, skipped or failed, in one sentence; otherwise empty.
    bytes_before, bytes_after : int or None
        Of the two files; None where there is none.
    width, height, frames, colors : int or None
        Of the picture (a still one is one frame) and its palette, the largest if frames have their own; None if it was
        not compressed.
    psnr : float or None
        In dB; None if it was not compressed or is lossless.
    seconds : float
        From opening the one file to having written the other.
    """

    input: str
    output: str | None
    outcome: Outcome
    message: str = ""
    bytes_before: int | None = None
    bytes_after: int | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    colors: int | None = None
    psnr: float | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Give the attributes as a dict that JSON can hold."""
        return asdict(self)


def compress_many(
    inputs: StrPath | Iterable[StrPath],
    k: int | None = None,
    *,
    output: StrPath | None = None,
    ending: str | None = None,
    in_place: bool = False,
    recursive: bool = False,
    skip_if_larger: bool = True,
    force: bool = False,
    jobs: int | None = None,
    threads: int | None = None,
    metadata: str = "display",
    optimize: str = "fast",
    frames: str = "all",
    frame_palettes: bool = False,
    **options: Any,
) -> FileResults:
    """Compress many files, and yield what became of each as it finishes.

    A file that fails is yielded as such, and the rest go on. Every file is written wholly or not at all.

    Parameters
    ----------
    inputs : path or iterable of paths
        Files, folders and patterns such as ``"photos/*.jpg"``. Of folders those files whose names end as pictures' do.
    k : int, optional
        The most colours of each, 1 to 256. Left out, 16, or 256 where a quality or a size is asked for.
    output : path, optional
        The folder for the results, made if needed; they keep their paths below the folders in `inputs`. Left out, they
        stand beside their originals.
    ending : str, optional
        What results' names end in, in place of the originals' endings. Left out, ".png" in a folder of their own, else
        "-kmc.png"; but animated GIF and WebP files stay such.
    in_place : bool
        Replace the originals, keeping their permissions and times. Pictures whose format holds no palette (JPEG)
        are kept.
    recursive : bool
        Look into the folders within folders.
    skip_if_larger : bool
        Keep an original that is not larger than its result.
    force : bool
        Compress again what an earlier run did: results that are not older than their originals, and, in place,
        palettes of at most k colours.
    jobs : int, optional
        Files at a time, at most as many as there are threads; as many by default.
    threads : int, optional
        Shared out among the jobs; every core by default.
    metadata, optimize : str
        As for :meth:`kmc.CompressedImage.to_bytes`; `optimize` is for still pictures only, and "fast" by default: on
        photographs "default" takes three times as long for files that are 1 to 3 % smaller.
    frames : {"all", "first"}
        Animations go through :func:`kmc.compress_animation`; those that the result cannot hold, those for which there
        is an option that it does not have, and files of several pages are kept. Or the first frame or page alone is
        compressed.
    frame_palettes : bool
        Whether each frame of an animation gets a palette of its own.
    **options
        As for :func:`kmc.compress`, but for `init`, which must be a word.

    Returns
    -------
    FileResults
        An iterator over :class:`FileResult`, in the order in which files finish.

    Raises
    ------
    KmcError
        Before the first file is touched: an option is wrong, or an input does not exist.

    Examples
    --------
    >>> import kmc
    >>> for result in kmc.compress_many("photos", 64, output="small", recursive=True):  # doctest: +SKIP
    ...     print(result.input, result.outcome, result.bytes_before, result.bytes_after)
    """
    n_threads = _threads.resolve(threads)
    n_jobs = n_threads if jobs is None else whole_number("jobs", jobs, 1, 1024, "leave it out for one on each core")
    if k is None:
        k = DEFAULT_COLORS if all(options.get(target) is None for target in TARGETS) else MOST_FILE_COLORS
    k = whole_number("k", k, 1, MOST_FILE_COLORS, "a palette file holds up to 256")
    if "init" in options and not isinstance(options["init"], str):
        raise KmcValueError("init must be a word for several pictures, got colours; give them as a palette instead")
    choice("frames", frames, FRAMES)
    with suppress(KmcQualityError):  # a wrong option fails here, and once
        trial = compress(Image.new("RGB", TRIAL_SIZE), k, threads=1, **options)
        trial.to_bytes(metadata=metadata, optimize=optimize)
    plans = plan_files(inputs, output=output, ending=ending, in_place=in_place, recursive=recursive)
    n_jobs = max(1, min(n_jobs, n_threads, len(plans)))
    treatment = Treatment(k, {**options, "threads": n_threads // n_jobs}, metadata, optimize, frames, frame_palettes)
    return FileResults(plans, _Task(treatment, skip_if_larger, force), n_jobs)


class FileResults(Iterator[FileResult]):
    """What became of each file, as it finishes. To stop early, call :meth:`close` or use it in a ``with``.

    Attributes
    ----------
    total : int
        How many files there are.
    """

    def __init__(self, plans: list[PlannedFile], task: _Task, n_jobs: int) -> None:
        self.total = len(plans)
        self._n_given = 0
        waiting: queue.SimpleQueue[PlannedFile] = queue.SimpleQueue()
        for plan in plans:
            waiting.put(plan)
        self._finished: queue.SimpleQueue[FileResult] = queue.SimpleQueue()
        self._workers = [_Worker(task, waiting, self._finished) for _ in range(n_jobs)]
        for worker in self._workers:
            worker.start()

    def __next__(self) -> FileResult:
        if self._n_given == self.total:
            raise StopIteration
        result = self._finished.get()
        self._n_given += 1
        return result

    def close(self) -> None:
        """Stop. Files that are being written are finished, and nothing is written after this returns."""
        self.total = self._n_given
        for worker in self._workers:
            worker.writer.stopped = True
        for worker in self._workers:
            worker.writer.writing.acquire()
        self._workers = []

    def __enter__(self) -> FileResults:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class _Worker(threading.Thread):
    """Compresses file after file; its writer waits for the disk meanwhile.

    Both are daemons: an interrupted program does not wait for a large picture, only for files that are being written.
    """

    def __init__(
        self, task: _Task, waiting: queue.SimpleQueue[PlannedFile], finished: queue.SimpleQueue[FileResult]
    ) -> None:
        super().__init__(daemon=True, name="kmc")
        self.task, self.waiting = task, waiting
        self.writer = _Writer(task, finished)

    def run(self) -> None:
        self.writer.start()
        with suppress(queue.Empty):
            while not self.writer.stopped:
                plan, start = self.waiting.get_nowait(), time.perf_counter()
                try:
                    fields, content = self.task.compressed(plan)
                except Exception as error:
                    fields, content = _failure(plan, error), None
                self.writer.compressed.put((plan, fields, content, start))
        self.writer.compressed.put(None)


class _Writer(threading.Thread):
    """Writes what a worker has compressed."""

    def __init__(self, task: _Task, finished: queue.SimpleQueue[FileResult]) -> None:
        super().__init__(daemon=True, name="kmc-writer")
        self.task, self.finished = task, finished
        # One at most, so that results do not pile up before a slow disk.
        self.compressed: queue.Queue[tuple[PlannedFile, dict[str, Any], bytes | Path | None, float] | None]
        self.compressed = queue.Queue(maxsize=1)
        self.stopped = False
        self.writing = threading.Lock()

    def run(self) -> None:
        while (compressed := self.compressed.get()) is not None:
            plan, fields, content, start = compressed
            with self.writing:
                if self.stopped:
                    continue
                try:
                    self.task.write(plan, fields, content)
                except Exception as error:
                    fields = _failure(plan, error)
            self.finished.put(FileResult(input=os.fspath(plan.input), seconds=time.perf_counter() - start, **fields))


def _failure(plan: PlannedFile, error: Exception) -> dict[str, Any]:
    """Give the fields of a file that failed; whatever a decoder raises on a damaged one, the rest go on."""
    message = str(error)
    if isinstance(error, MemoryError):
        message = f"{os.fspath(plan.input)!r} does not fit in memory; use fewer jobs"
    elif not isinstance(error, KmcError | OSError):
        message = f"{os.fspath(plan.input)!r} could not be compressed ({type(error).__name__}: {error})"
    return {"outcome": "failed", "message": " ".join(message.split()), "output": None}


@dataclass(frozen=True)
class _Task:
    """What is done with every file."""

    treatment: Treatment
    skip_if_larger: bool
    force: bool

    def compressed(self, plan: PlannedFile) -> tuple[dict[str, Any], bytes | Path | None]:
        """Give the fields of a file, and what is to be written: bytes, a copy of the original, or nothing."""
        done = self._done_before(plan)
        return (done, None) if done else self._compressed(plan)

    def _done_before(self, plan: PlannedFile) -> dict[str, Any] | None:
        """Give the fields of a file that needs no work, or None."""
        if plan.output is None:
            message = f"{plan.input.suffix or 'its format'} holds no palette"
            return {"outcome": "kept", "message": message, "output": os.fspath(plan.input)}
        if self.force:
            return None
        if plan.output == plan.input:
            return (
                {
                    "outcome": "skipped",
                    "message": f"a palette of at most {self.treatment.k} colours already",
                    "output": os.fspath(plan.input),
                }
                if _is_palette(plan.input, self.treatment.k)
                else None
            )
        for result in (plan.output, plan.animation, plan.original_copy):
            if result is not None and _is_newer(result, plan.input):
                return {"outcome": "skipped", "message": "done already", "output": os.fspath(result)}
        return None

    def _compressed(self, plan: PlannedFile) -> tuple[dict[str, Any], bytes | Path | None]:
        picture = self.treatment.load(plan.input)
        before = plan.input.stat().st_size
        unchanged = {"outcome": "kept", "output": os.fspath(plan.original_copy or plan.input), "bytes_after": before}
        original = plan.input if plan.original_copy else None
        output = plan.animation if picture.is_animated and self.treatment.keeps_frames(picture) else plan.output
        assert output is not None
        try:
            result, data = self.treatment.compressed(plan.input, picture, format_of(output), "it")
        except KmcValueError as error:
            if not (isinstance(error, KmcQualityError) or self.treatment.keeps_frames(picture)):
                raise
            return {**unchanged, "bytes_before": before, "message": str(error)}, original
        fields = {
            "bytes_before": before,
            "width": picture.width,
            "height": picture.height,
            "frames": n_frames(result),
            "colors": n_colors(result),
            "psnr": None if result.lossless else result.psnr,
        }
        if not self.skip_if_larger or len(data) < before:
            return {**fields, "outcome": "compressed", "output": os.fspath(output), "bytes_after": len(data)}, data
        message = f"the result would have {len(data):,} bytes, the original has {before:,}"
        return {**fields, **unchanged, "message": message}, original

    def write(self, plan: PlannedFile, fields: dict[str, Any], content: bytes | Path | None) -> None:
        """Write what :meth:`compressed` gave."""
        if content is None:
            return
        target = Path(fields["output"])
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KmcFileError(f"the folder {os.fspath(target.parent)!r} cannot be made ({error.strerror})") from error
        data = content if isinstance(content, bytes) else content.read_bytes()
        times_of = plan.input if data is not content or target == plan.input else None
        write_atomically(target, data, times_of=times_of)


def _is_newer(result: Path, original: Path) -> bool:
    """Whether a file was written after `original`."""
    try:
        return result.stat().st_mtime_ns >= original.stat().st_mtime_ns and result.resolve() != original.resolve()
    except OSError:
        return False


def _is_palette(path: Path, k: int) -> bool:
    """Whether a file holds one palette of at most k colours, by its header; GIF fills palettes up, and has many."""
    try:
        with Image.open(path) as image:
            if image.format == "GIF":
                with path.open("rb") as file:
                    return [size <= k for size in palette_sizes(file)] == [True]
            return image.mode == "P" and image.palette is not None and len(image.palette.palette) <= 3 * k
    except Exception:  # load() says what is wrong with it
        return False
