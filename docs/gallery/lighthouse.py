"""A picture of a lighthouse, and a sparse function of its patches that somebody planted.

No model sees the picture. The function stands for one, so that a report of a picture can be shown
where no vision model runs; whatever is drawn from it says so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from spex_api.transforms import FourierTransform, MobiusTransform, mobius_to_fourier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["GRID", "LABEL", "PLANTED", "SIZE", "painting", "planted"]

GRID = 6, 8
"""Rows and columns of patches."""
SIZE = 960, 720
_FINE = 2
"""Drawn so many times larger, and made smaller at the end, for smooth edges."""
_COLOURS = 96
_HORIZON = 452

LABEL = "planted sparse function · no vision model"
"""What is written on the picture."""

Place = tuple[int, int]
Shape = Sequence[tuple[float, float]]

PLANTED: dict[tuple[Place, ...], float] = {
    (): -1.5,
    ((2, 3),): 1.6,  # the lamp
    ((4, 3),): 0.8,  # the tower above
    ((5, 3),): 0.8,  # and below: either suffices
    ((4, 3), (5, 3)): -0.7,
    ((2, 3), (2, 5)): 0.9,  # lamp and beam
    ((4, 6),): -0.6,  # the boat speaks against it, unless the lamp is seen
    ((2, 3), (4, 6)): 0.5,
    ((1, 7), (5, 7)): 0.7,  # the moon and its reflection: neither does anything alone
    ((2, 3), (4, 3), (6, 3)): 0.6,  # lamp, tower and rock: only all three
}
"""Places (row, column), counted from 1, and what keeping them all adds: log-odds, in nats."""


def planted() -> FourierTransform:
    """`PLANTED` as a Fourier transform of the patches, row by row."""
    rows, columns = GRID
    terms = {
        tuple(sorted((row - 1) * columns + column - 1 for row, column in places)): value
        for places, value in PLANTED.items()
    }
    return mobius_to_fourier(MobiusTransform(terms, rows * columns))


def painting() -> bytes:
    """The picture as PNG, with the words on it that no vision model looked at it."""
    width, height = (_FINE * side for side in SIZE)
    canvas = Image.fromarray(_sky_and_sea(width, height), "RGB")
    canvas = Image.alpha_composite(canvas.convert("RGBA"), _lights(width, height))
    pen = ImageDraw.Draw(canvas)
    for colour, shape in _shapes():
        pen.polygon([(x * _FINE, y * _FINE) for x, y in shape], fill=colour)
    picture = canvas.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    _label(picture)
    few = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _sky_and_sea(width: int, height: int) -> NDArray[np.uint8]:
    """Two gradients that meet at the horizon."""
    y = np.linspace(0, SIZE[1], height)
    stops = [0, 250, _HORIZON - 1, _HORIZON, 560, SIZE[1]]
    colours = [
        (104, 125, 176),
        (176, 174, 200),
        (247, 214, 178),
        (146, 160, 184),
        (96, 124, 158),
        (58, 84, 120),
    ]
    column = np.stack([np.interp(y, stops, band) for band in zip(*colours, strict=True)], axis=1)
    return np.repeat(column.astype(np.uint8)[:, None], width, axis=1)


def _lights(width: int, height: int) -> Image.Image:
    """The beam, the moon and its path on the water, softened."""
    layer = Image.new("RGBA", (width, height), (255, 246, 214, 0))
    pen = ImageDraw.Draw(layer)
    for spread, alpha in ((62, 70), (40, 80), (20, 90)):
        beam = [(312, 178), (960, 178 - spread), (960, 178 + spread), (312, 190)]
        pen.polygon([(x * _FINE, y * _FINE) for x, y in beam], fill=(255, 240, 190, alpha))
    pen.ellipse([side * _FINE for side in (746, 24, 818, 96)], fill=(255, 250, 232, 255))
    rng = np.random.default_rng(7)
    for y in np.arange(_HORIZON + 6.0, 640, 9):
        half = 10 + 0.22 * (y - _HORIZON) + 8 * rng.random()
        middle = 782 + 8 * (rng.random() - 0.5)
        ripple = [middle - half, y, middle + half, y + 4]
        pen.rounded_rectangle(
            [side * _FINE for side in ripple], radius=2 * _FINE, fill=(255, 247, 222, 150)
        )
    for _ in range(46):
        x, y = 960 * rng.random(), _HORIZON + 8 + 250 * rng.random()
        pen.line(
            [(x * _FINE, y * _FINE), ((x + 26) * _FINE, y * _FINE)],
            fill=(255, 255, 255, 46),
            width=2 * _FINE,
        )
    return layer.filter(ImageFilter.GaussianBlur(1.2 * _FINE))


def _shapes() -> Iterator[tuple[str, Shape]]:
    """Rock, tower, lamp and boat, from the back to the front, in pixels of the small picture."""
    yield "#4b5a78", [(0, 452), (0, 420), (70, 432), (150, 440), (220, 452)]
    yield "#3b3f4f", [(150, 720), (186, 640), (232, 600), (372, 596), (420, 634), (470, 720)]
    yield "#505567", [(186, 640), (232, 600), (372, 596), (352, 622), (250, 628)]
    yield "#f4efe6", [(256, 600), (274, 240), (326, 240), (344, 600)]
    for top, bottom in ((270, 330), (396, 456), (522, 582)):
        left = [256 + 18 * (600 - y) / 360 for y in (top, bottom)]
        right = [344 - 18 * (600 - y) / 360 for y in (top, bottom)]
        stripe = [(left[0], top), (right[0], top), (right[1], bottom), (left[1], bottom)]
        yield "#c4544c", stripe
    yield "#d9d2c6", [(318, 240), (326, 240), (344, 600), (330, 600)]
    yield "#3b3f4f", [(262, 232), (338, 232), (332, 246), (268, 246)]
    yield "#ffe9a8", [(278, 162), (322, 162), (322, 232), (278, 232)]
    for x in (276, 298, 320):
        yield "#3b3f4f", [(x, 162), (x + 4, 162), (x + 4, 232), (x, 232)]
    yield "#c4544c", [(268, 164), (300, 128), (332, 164)]
    yield "#6d4a3a", [(612, 440), (708, 440), (690, 466), (630, 466)]
    yield "#fbf7ee", [(656, 368), (656, 434), (622, 434)]
    yield "#efe4d2", [(662, 376), (662, 434), (700, 434)]


def _label(picture: Image.Image) -> None:
    """Writes on the picture what it is not."""
    pen = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(size=22)
    left, top, right, bottom = pen.textbbox((0, 0), LABEL, font=font)
    x, y = SIZE[0] - (right - left) - 34, SIZE[1] - (bottom - top) - 36
    pen.rounded_rectangle((x - 12, y - 8, SIZE[0] - 20, SIZE[1] - 18), 8, fill=(20, 26, 40, 150))
    pen.text((x, y - top), LABEL, font=font, fill=(255, 255, 255, 240))
