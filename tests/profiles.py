"""ICC profiles for the tests, as small as they may be (ICC.1:2001-04)."""

from __future__ import annotations

import itertools
import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = (0.3127, 0.329)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


def xyz(x, y):
    return np.array([x / y, 1, (1 - x - y) / y])


def to_d50(primaries):
    """The matrix from light of RGB primaries with a white of D65 to XYZ under D50."""
    columns = np.stack([xyz(*point) for point in primaries], axis=1)
    to_xyz = columns * np.linalg.solve(columns, xyz(*D65))
    scale = (BRADFORD @ D50) / (BRADFORD @ xyz(*D65))
    return np.linalg.solve(BRADFORD, np.diag(scale) @ BRADFORD) @ to_xyz


def profile(space, tags, kind=b"mntr", connection=b"XYZ "):
    tags = {b"desc": text(b"test"), b"cprt": b"text\0\0\0\0none\0", b"wtpt": point(D50), **tags}
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"\0" * 4, 0x02400000, kind, space, connection)
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def fixed(numbers):
    return b"".join(struct.pack(">i", round(float(number) * 65536)) for number in numbers)


def point(numbers):
    return b"XYZ \0\0\0\0" + fixed(numbers)


def text(content):
    return b"desc\0\0\0\0" + struct.pack(">I", len(content) + 1) + content + b"\0" + b"\0" * 78


def curve(levels):
    return b"curv\0\0\0\0" + struct.pack(f">I{len(levels)}H", len(levels), *levels)


def gamma_curve(gamma):
    return curve([round(gamma * 256)])


def srgb_curve():
    samples = np.linspace(0, 1, 1024)
    light = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    return curve(np.rint(light * 65535).astype(int).tolist())


def rgb_profile(primaries, transfer):
    columns = to_d50(primaries).T
    tags = {name: point(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), transfer))


def grey_profile(gamma):
    return profile(b"GRAY", {b"kTRC": gamma_curve(gamma)})


def cmyk_profile():
    """Ink that only darkens: the lightness is 100 without any, 20 less for cyan, magenta and yellow, 0 with black."""
    corners = itertools.product((0, 1), repeat=4)
    nodes = bytes(
        sample for c, m, y, k in corners for sample in (round(255 / 100 * (100 - 20 * (c + m + y)) * (1 - k)), 128, 128)
    )
    identity = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(np.eye(3).ravel()) + 4 * identity + nodes + 3 * identity
    grey_paper = point(0.8 * D50)  # which is white, as white is relative
    return profile(b"CMYK", {b"A2B0": table, b"wtpt": grey_paper}, b"prtr", b"Lab ")


def to_srgb(pixels, primaries, transfer):
    """Colours (h, w, 3) uint8 of RGB primaries in sRGB; `transfer` gives light of samples from 0 to 1."""
    light = transfer(pixels / 255) @ (np.linalg.solve(to_d50(SRGB), to_d50(primaries))).T
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def srgb_light(samples):
    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
