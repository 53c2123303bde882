from typing import Any

from numpy.typing import NDArray

PART_SIZE: int
TILE_POINTS: int
BLOCK_CENTROIDS: int
ALPHA_LANES: int
PANEL_CENTROIDS: int

Array = NDArray[Any]

SAMPLE_RUN: int
BOX_SAMPLE: int
SMALL_PICTURE_PIXELS: int

class ColorIndex:
    n_transparent: int
    n_translucent: int

def instruction_sets() -> tuple[str, ...]: ...
def instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def has_openmp() -> bool: ...
def max_threads() -> int: ...
def tile_points(points: Array, origin: Array, tiles: Array, num_threads: int) -> None: ...
def assign(
    points: Array,
    tiles: Array,
    exact: Array,
    transposed: Array,
    panels: Array,
    half_norms: Array,
    bounds: Array,
    labels: Array,
    num_threads: int,
) -> None: ...
def elkan_assign(
    points: Array,
    exact: Array,
    transposed: Array,
    panels: Array,
    half_norms: Array,
    bounds: Array,
    half_distances: Array,
    half_nearest: Array,
    travelled: Array,
    labels: Array,
    upper: Array,
    lower: Array,
    num_threads: int,
) -> None: ...
def own_dist2(points: Array, centroids: Array, labels: Array, dist2: Array, num_threads: int) -> None: ...
def update(
    points: Array,
    weights: Array | None,
    old_labels: Array | None,
    new_labels: Array,
    sums: Array,
    weight_sums: Array,
    num_threads: int,
) -> int: ...
def weighted_sums(values: Array, weights: Array | None, part_sums: Array, num_threads: int) -> None: ...
def distances(
    tiles: Array,
    centroids: Array,
    most: Array,
    weights: Array | None,
    dist2: Array,
    part_sums: Array,
    num_threads: int,
) -> None: ...

class AlphaPoints:
    n_soft: int
    def __init__(self, points: Array, weights: Array, n_soft: int, low: Array, num_threads: int) -> None: ...
    def __len__(self) -> int: ...
    def splits(self) -> Array: ...
    def cells(self, shift: int) -> AlphaCells: ...

class AlphaCells:
    n_soft: int
    squares: int
    def __len__(self) -> int: ...
    def round(self, centroids: Array, n_opaque: int, labels: Array, num_threads: int) -> Array: ...
    def measure(self, labels: Array, n_groups: int) -> Array: ...
    def cuts(self, k: int) -> tuple[Array, Array]: ...

def alpha_merges(centroids: Array, weights: Array, n_opaque: int) -> tuple[Array, Array]: ...
def oklab(colors: Array, linear: Array, points: Array, num_threads: int) -> None: ...
def oklab_grid(points: Array, grid: Array, num_threads: int) -> None: ...
def count_grey(pixels: Array, counts: Array) -> None: ...
def count_colors(pixels: Array, num_threads: int) -> tuple[Array, Array, ColorIndex]: ...
def sum_counts(colors: Array, counts: Array, index: ColorIndex, u: int) -> Array: ...
def sampled_boxes(pixels: Array) -> int: ...
def count_sample(pixels: Array, n_runs: int, bits: int, bound: int, num_threads: int) -> tuple[Array, Array]: ...
def apply_palette(pixels: Array, entries: Array, index: ColorIndex | None, indices: Array, num_threads: int) -> int: ...
def error_of_indices(pixels: Array, entries: Array, indices: Array, num_threads: int) -> int: ...
def map_grey(pixels: Array, labels: Array, indices: Array) -> None: ...
def map_colors(
    pixels: Array,
    colors: Array,
    labels: Array,
    index: ColorIndex | None,
    indices: Array,
    num_threads: int,
) -> None: ...

SSIM_RADIUS: int

def join_boxes(colors: Array, counts: Array, bits: int, box_colors: Array, box_counts: Array) -> tuple[int, float]: ...
def silhouettes(
    tiles: Array,
    labels: Array,
    targets: Array,
    target_weights: Array,
    starts: Array,
    weights: Array,
    others: Array,
    values: Array,
    num_threads: int,
) -> None: ...
def ssim(x: Array, y: Array, channels: int, sums: Array, num_threads: int) -> None: ...
def color_kmeans(
    colors: Array,
    counts: Array,
    centroids: Array,
    seeds_given: bool,
    max_rounds: int,
    trials: tuple[int, int, int],
    thorough: bool,
    tol: float,
    coarse_tol: float,
    on_cells: bool,
    num_threads: int,
) -> tuple[float, int, bool] | None: ...

class Targets:
    space: int
    channels: int
    def __init__(self, entries: Array, space: int, channels: int, n_pixels: int, num_threads: int) -> None: ...

def dither_points(pixels: Array, space: int, linear: Array, gain: int, points: Array, num_threads: int) -> None: ...
def diffuse_pixels(
    pixels: Array, targets: Targets, linear: Array, gain: int, indices: Array, num_threads: int
) -> None: ...
def points_of_picture(
    pixels: Array, targets: Targets, linear: Array, gain: int, points: Array, num_threads: int
) -> None: ...
def mark_busy_points(pixels: Array, less_of: Array, points: Array, num_threads: int) -> None: ...
def diffuse_points(points: Array, targets: Targets, gain: int, indices: Array, num_threads: int) -> None: ...
def noise_pixels(
    pixels: Array,
    targets: Targets,
    linear: Array,
    mask: Array,
    amplitude: Array,
    indices: Array,
    num_threads: int,
) -> None: ...
def polish_points(points: Array, targets: Targets, weights: Array, indices: Array, num_threads: int) -> None: ...
def blur_points(points: Array, weights: Array, blurred: Array, num_threads: int) -> None: ...
def normal_equations(
    points: Array, blurred: Array, indices: Array, weights: Array, k: int, num_threads: int
) -> tuple[Array, Array, Array, Array, Array]: ...

FLATNESS_BOXES: int

def flatness(pixels: Array, weight_of: Array, num_threads: int) -> Array: ...
def solve(matrix: Array, right: Array) -> None: ...
def compact(
    points: Array,
    kind: Array,
    weight: Array,
    entries: Array,
    near: Array,
    forbidden: Array,
    bits: int,
    differences: int,
    prices: tuple[Array, Array, Array],
    blur: Array,
    scale: float,
    indices: Array,
    num_threads: int,
) -> None: ...
