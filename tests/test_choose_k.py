"""choose_k: the sweep, its choices, and what it says where there is nothing to choose."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pictures import gradient, noise, photograph

import kmc
from kmc import cli
from kmc._settings import checked_settings
from kmc.colorspace import points_of
from kmc.encode import png_bytes
from kmc.errors import KmcQualityError, KmcTypeError, KmcValueError
from kmc.histogram import ColorHistogram
from kmc.load import load
from kmc.metrics.similarity import ssim
from kmc.selection.k_selection import KScore
from kmc.selection.knee import elbow
from kmc.selection.sample_tiles import SampleTiles
from kmc.selection.sweep import Sweep


def known_colors(k: int, seed: int, side: int = 60, sigma: float = 4.0) -> np.ndarray:
    """Areas of k colours at least 60 apart, with noise."""
    rng = np.random.default_rng(seed)
    colors: list[np.ndarray] = []
    while len(colors) < k:
        color = rng.integers(20, 236, 3)
        if all(np.linalg.norm(color - other) >= 60 for other in colors):
            colors.append(color)
    areas = rng.permutation(np.arange(side * side // 36) % k).reshape(side // 6, side // 6)
    labels = np.kron(areas, np.ones((6, 6), dtype=int))
    noisy = np.array(colors)[labels] + rng.normal(0, sigma, (side, side, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Large enough for tiles and boxes: 0.3 megapixels."""
    return photograph(480, 640)


class TestChoices:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("k", [3, 5, 8, 12])
    @pytest.mark.parametrize("method", ["elbow", "silhouette"])
    def test_known_number_of_colors(self, method: str, k: int, seed: int) -> None:
        picture = known_colors(k, seed)
        assert kmc.choose_k(picture, method=method).k == k
        assert kmc.choose_k(picture, range(2, 16), method).k == k

    @pytest.mark.parametrize("sigma", [2.0, 8.0])
    @pytest.mark.parametrize("k", [3, 5, 8, 12])
    def test_elbow_with_little_and_much_noise(self, k: int, sigma: float) -> None:
        assert kmc.choose_k(known_colors(k, 7, 120, sigma)).k == k

    @pytest.mark.parametrize("method", ["calinski-harabasz", "davies-bouldin"])
    def test_other_cluster_scores(self, method: str) -> None:
        selection = kmc.choose_k(known_colors(5, 0), method=method)
        assert selection.k == 5
        assert selection.scores[0].silhouette is None

    def test_no_elbow(self, photo: np.ndarray) -> None:
        selection = kmc.choose_k(photo)
        assert "without an elbow" in selection.reason
        assert selection.best.psnr >= 30
        assert all(score.psnr < 30 for score in selection.scores if score.k < selection.k)

    def test_no_elbow_and_no_good_k(self, photo: np.ndarray) -> None:
        selection = kmc.choose_k(photo, [2, 3, 4])
        assert selection.k == 4
        assert "no k reaches 30 dB" in selection.reason

    def test_knee_of_a_curve(self) -> None:
        errors = {2: 4000, 4: 2000, 8: 30, 16: 25, 32: 20}
        scores = [KScore(k, k, mse, mse, 10 * math.log10(65025 / mse), 1, 1, 0) for k, mse in errors.items()]
        assert elbow(scores)[0] == 2

    def test_straight_line_has_no_knee(self) -> None:
        scores = [KScore(k, k, 1 / k, 4096 / k, 25 + math.log2(k), 1, 1, 0) for k in (2, 4, 8, 16, 32, 64)]
        place, reason = elbow(scores)
        assert place == 4
        assert "without an elbow" in reason


class TestTargets:
    def test_psnr(self, photo: np.ndarray) -> None:
        selection = kmc.choose_k(photo, method="psnr", target=27)
        assert selection.best.psnr >= 27
        assert [score.psnr >= 27 for score in selection.scores] == [
            score.k >= selection.k for score in selection.scores
        ]

    def test_ssim(self, photo: np.ndarray) -> None:
        selection = kmc.choose_k(photo, [4, 8, 16, 32], "ssim", target=0.6)
        exact = [ssim(photo, kmc.choose_k(photo, [k, 32]).best.image) for k in (4,)]
        assert ssim(photo, selection.best.image) >= 0.6
        assert selection.score.ssim == ssim(photo, selection.best.image)
        assert selection.k > 4 or exact[0] >= 0.6

    def test_bytes(self, photo: np.ndarray) -> None:
        largest = len(kmc.compress(photo, 16).to_bytes())
        selection = kmc.choose_k(photo, [4, 8, 16, 32, 64], "bytes", target=largest + 2000)
        assert selection.score.n_bytes == len(selection.best.to_bytes()) <= largest + 2000
        assert selection.k >= 16

    @pytest.mark.parametrize(
        ("method", "target", "words"),
        [("psnr", 90, "PSNR 90 dB"), ("ssim", 0.9999, "SSIM 0.9999"), ("bytes", 100, "100 bytes")],
    )
    def test_out_of_reach(self, method: str, target: float, words: str) -> None:
        with pytest.raises(KmcQualityError, match=words):
            kmc.choose_k(photograph(60, 60), [2, 4], method, target=target)


def distortion(picture: np.ndarray, result: np.ndarray, space: str) -> float:
    """Mean squared distance of pixels (h, w) or (h, w, c) in a space."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    points, others = (points_of(pixels.reshape(-1, channels), space).astype(float) for pixels in (picture, result))
    return float(((points - others) ** 2).sum(axis=1).mean())


class TestSweep:
    @pytest.mark.parametrize("space", ["srgb", "oklab"])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_the_same_as_compress(self, channels: int, space: str) -> None:
        """By the error that k-means minimizes, which is that of the space."""
        picture = photograph(240, 320, channels)
        settings = checked_settings(2, "exact", None, "balanced", space, None, None, 0, None)
        sweep = Sweep(load(picture), settings)
        for k in (200, 64, 16, 5, 2) if channels < 4 else (16, 2):
            found, expected = sweep.compressed(k).image, kmc.compress(picture, k, space=space).image
            assert distortion(picture, found, space) <= 1.01 * distortion(picture, expected, space), k

    def test_photograph(self, china: np.ndarray) -> None:
        for score in kmc.choose_k(china).scores:
            assert score.mse <= 1.01 * kmc.compress(china, score.k).mse, score.k

    def test_figures_are_those_of_the_result(self, photo: np.ndarray) -> None:
        selection = kmc.choose_k(photo, [3, 20], "psnr", target=1)
        assert selection.k == 3
        score = selection.score
        assert score.mse == selection.best.mse == kmc.evaluate(photo, selection.best).mse
        assert score.psnr == pytest.approx(selection.best.psnr)
        assert score.inertia == pytest.approx(score.mse * photo.size)

    def test_small_pictures_are_measured_whole(self) -> None:
        picture = photograph(100, 120)
        selection = kmc.choose_k(picture, [8])
        assert selection.score.ssim == ssim(picture, selection.best.image)
        assert selection.score.n_bytes == len(selection.best.to_bytes())

    @pytest.mark.parametrize("channels", [1, 3])
    def test_tiles_stand_for_the_picture(self, channels: int) -> None:
        picture = photograph(500, 700, channels)
        selection = kmc.choose_k(picture, [16, 100])
        assert selection.score.ssim == pytest.approx(
            ssim(load(picture).pixels, load(selection.best.image).pixels), abs=0.03
        )
        assert selection.score.n_bytes == pytest.approx(len(selection.best.to_bytes()), rel=0.15)

    def test_threads_change_nothing(self, photo: np.ndarray) -> None:
        one, two = (kmc.choose_k(photo, [2, 30, 200], threads=threads) for threads in (1, 2))
        for a, b in zip(one.scores, two.scores, strict=True):
            assert (a.mse, a.ssim, a.n_bytes) == (b.mse, b.ssim, b.n_bytes)
        np.testing.assert_array_equal(one.best.indices, two.best.indices)

    def test_every_instruction_set(self, isa: str) -> None:
        picture = photograph(380, 380)
        scores = kmc.choose_k(picture, [3, 40], "silhouette").scores
        assert [(round(s.mse, 9), s.ssim, s.silhouette) for s in scores] == EXPECTED.setdefault(
            "sweep", [(round(s.mse, 9), s.ssim, s.silhouette) for s in scores]
        )


EXPECTED: dict[str, list[tuple[float, ...]]] = {}


class TestTiles:
    @pytest.mark.parametrize("shape", [(1000, 400), (3, 60_000), (60_000, 30), (361, 365)])
    def test_tiles_lie_in_the_picture_and_apart(self, shape: tuple[int, int]) -> None:
        places = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
        tiles = SampleTiles(np.zeros((*shape, 1), dtype=np.uint8))
        cut = tiles.cut(places)
        assert not tiles.is_whole
        assert len(np.unique(cut)) == cut.size <= 1 << 16
        assert cut.size >= min(1 << 14, shape[0] * shape[1] // 4)

    def test_all_of_a_small_picture(self) -> None:
        picture = gradient(30, 40)
        tiles = SampleTiles(picture)
        assert tiles.is_whole
        palette = kmc.Palette([[0, 0, 0], [255, 255, 255]])
        indices = palette.apply(picture).indices
        assert tiles.ssim(palette, indices, 1) == ssim(picture, palette.colors[indices])
        assert tiles.n_bytes(palette, indices) == len(png_bytes(indices, palette.colors))


class TestOddInput:
    def test_one_color(self) -> None:
        selection = kmc.choose_k(np.full((20, 20, 3), 7, dtype=np.uint8))
        assert (selection.k, selection.best.lossless, len(selection.scores)) == (1, True, 1)

    @pytest.mark.parametrize("method", ["silhouette", "calinski-harabasz", "davies-bouldin"])
    def test_one_color_has_no_clusters(self, method: str) -> None:
        selection = kmc.choose_k(np.full((20, 20, 3), 7, dtype=np.uint8), [1, 4], method)
        assert selection.k == 1
        assert "no k gives two clusters" in selection.reason

    def test_more_than_the_colors(self) -> None:
        picture = np.array([[0, 50, 100], [150, 200, 250]], dtype=np.uint8)
        selection = kmc.choose_k(picture, [4, 6, 50])
        assert [score.colors for score in selection.scores] == [4, 6, 6]
        assert [score.mse == 0 for score in selection.scores] == [False, True, True]
        assert math.isnan(selection.scores[0].ssim)
        assert [score.k for score in kmc.choose_k(picture).scores] == [2, 3, 4, 5, 6]

    def test_order_and_repeats_do_not_matter(self) -> None:
        picture = photograph(40, 40)
        assert [score.k for score in kmc.choose_k(picture, (k for k in [9, 2, 9, 4])).scores] == [2, 4, 9]

    def test_one_k(self) -> None:
        assert kmc.choose_k(noise(12, 12), [5]).k == 5

    def test_more_than_a_file_holds(self) -> None:
        assert kmc.choose_k(noise(40, 40), [20, 300]).scores[1].n_bytes == 0

    def test_transparency(self) -> None:
        selection = kmc.choose_k(noise(30, 30, 4), [2, 10, 40])
        assert selection.best.palette.channels == 4

    @pytest.mark.parametrize(
        ("arguments", "kind", "words"),
        [
            ({"ks": []}, KmcValueError, "ks must hold at least one"),
            ({"ks": 5}, KmcTypeError, "ks must be several whole numbers"),
            ({"ks": [0]}, KmcValueError, "ks must be a whole number from 1"),
            ({"ks": [2.5]}, KmcTypeError, "ks must be a whole number"),
            ({"method": "knee"}, KmcValueError, "method must be one of 'elbow'"),
            ({"method": "psnr"}, KmcValueError, "needs a target"),
            ({"method": "psnr", "target": -1}, KmcValueError, "target must be a number"),
            ({"target": 3}, KmcValueError, "target is for the methods"),
            ({"method": "ssim", "target": 0.9}, KmcValueError, "SSIM needs 11 x 11 pixels"),
        ],
    )
    def test_bad_arguments(self, arguments: dict[str, object], kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            kmc.choose_k(photograph(10, 20), **arguments)  # type: ignore[arg-type]


class TestShown:
    def test_table(self) -> None:
        lines = repr(kmc.choose_k(known_colors(5, 0), [3, 5, 8])).splitlines()
        assert lines[0].split() == ["k", "colours", "MSE", "PSNR", "SSIM", "bytes"]
        assert lines[2].split()[:3] == ["*", "5", "5"]
        assert lines[4].startswith("k = 5 (elbow): ")

    def test_json(self) -> None:
        picture = np.repeat(np.arange(0, 200, 40, dtype=np.uint8), 9).reshape(5, 9)
        record = json.loads(json.dumps(kmc.choose_k(picture, [2, 5]).to_dict()))
        assert record["scores"][1]["psnr"] is None
        assert record["scores"][0]["ssim"] is None
        assert record["k"] == 5

    def test_command(self, tmp_path, capsys) -> None:
        path = tmp_path / "picture.png"
        kmc.compress(known_colors(5, 0), 200).save(path)
        assert cli.main(["choose-k", str(path)]) == 0
        out = capsys.readouterr().out
        assert "k = 5 (elbow)" in out
        assert "█" in out
        assert cli.main(["choose-k", str(path), "--ks", "2-4,9", "--method", "silhouette", "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert [score["k"] for score in record["scores"]] == [2, 3, 4, 9]
        assert record["scores"][0]["silhouette_error"] == 0
        assert cli.main(["choose-k", str(path), "--method", "bytes", "--target", "9"]) == 99
        assert "no k fits into 9 bytes" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            cli.main(["choose-k", str(path), "--ks", "9-2"])
        assert cli.main(["choose-k", str(path), "--plot", str(tmp_path / "plot.txt")]) == 1
        assert "does not end in png" in capsys.readouterr().err

    def test_curve_in_ascii(self, monkeypatch) -> None:
        from kmc.cli import choose_k as command

        scores = kmc.choose_k(photograph(50, 50), [2, 8, 32]).scores
        monkeypatch.setattr("sys.stdout", type("Stream", (), {"encoding": "ascii"}))
        curve = command._curve(scores, 8, command._bars())
        assert curve.isascii()
        assert curve.splitlines()[-1].rstrip().endswith("^")
        assert command._curve(scores[:1], 2, command._bars()) == ""


def test_boxes_join_neighbours() -> None:
    from kmc import _kernels

    histogram = ColorHistogram.from_pixels(photograph(200, 200))
    for bits in (0, 1, 3, 8):
        colors, counts = np.empty_like(histogram.colors), np.empty_like(histogram.counts)
        m, scatter = _kernels.join_boxes(histogram.colors, histogram.counts, bits, colors, counts)
        boxes = histogram.colors.astype(int) >> bits
        names, own = np.unique(boxes, axis=0, return_inverse=True)
        weights = np.bincount(own.ravel(), histogram.counts)
        sums = [np.bincount(own.ravel(), histogram.counts * axis) for axis in histogram.colors.T.astype(float)]
        means = np.stack(sums, axis=1) / weights[:, np.newaxis]
        assert m == len(names)
        assert sorted(counts[:m]) == sorted(weights)
        np.testing.assert_array_equal(np.unique(colors[:m] >> bits, axis=0), names)
        difference = histogram.colors - means[own.ravel()]
        assert scatter == pytest.approx(np.sum(histogram.counts[:, np.newaxis] * difference**2), rel=1e-6, abs=1e-3)
        assert np.abs(colors[:m].astype(float) @ [1, 1, 1]).sum() == pytest.approx(means.sum(), rel=0.01)
