"""Pictures whose patches are masked, painted when they are asked for.

Painting is a pure function of the picture's bytes and the mask: the same pixels as PNG, each masked
patch blurred within its own borders, so that nothing of it is told by its neighbours, or grey. What
this module does not know: how an endpoint scales a picture before the model sees it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from itertools import accumulate, chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_api.errors import MissingExtra, PromptError
from spex_api.messages import Image
from spex_api.prompts.characters import check_whole
from spex_api.prompts.parts import Picture, Turn
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.prompts.parts import Part

__all__ = ["outline", "painted", "picture_turn", "with_patches"]

_GREY = 128
_BLUR = 3
"""The radius of the blur is the patch's shorter side through this: shapes go, the light stays."""


def picture_turn(
    text: str, image: bytes | str | PathLike[str], *, grid: tuple[int, int], paint: str
) -> Turn:
    """A message of the user's with a picture cut into patches.

    Args:
        text: what goes with it; `{image}` says where the picture goes, else it goes first.
        image: its bytes, or the path of a file.
        grid: rows and columns.
        paint: "blur" or "grey".

    Raises:
        PromptError: the picture cannot be read, or is smaller than the grid.
        MissingExtra: Pillow is not installed.
    """
    check_whole(text, what="The question")
    if not isinstance(image, bytes | str | PathLike):
        raise PromptError(
            f"The picture is a {type(image).__name__}.", advice="Give its bytes, or its file."
        )
    try:
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
    except OSError as error:
        raise PromptError(f"The picture {image!s} cannot be read: {error.strerror}.") from None
    sent = Image(base64.b64encode(data).decode(), _media_type(data))
    picture = _cut(Picture(sent), grid, paint)
    before, place, after = text.partition("{image}")
    if "{image}" in after:
        raise PromptError("{image} stands in the text twice; there is one picture.")
    if not place:
        before, after = "", text
    blocks: list[tuple[Part, ...]] = [(picture, *picture.patches())]
    if before.strip():
        blocks.insert(0, (Segment(before, pinned=True),))
    if after.strip():
        blocks.append((Segment(after, pinned=True),))
    starts = tuple(accumulate((len(block) for block in blocks[:-1]), initial=0))
    return Turn("user", tuple(chain.from_iterable(blocks)), starts)


def with_patches(turn: Turn, *, grid: tuple[int, int], paint: object) -> Turn:
    """The turn with its pictures cut into patches.

    Raises:
        PromptError: a picture cannot be read, stands at an address, or is smaller than the grid.
        MissingExtra: Pillow is not installed.
    """
    parts: list[Part] = []
    starts: list[int] = []
    for at, part in enumerate(turn.segments):
        if at in turn.starts:
            starts.append(len(parts))
        if isinstance(part, Picture):
            picture = _cut(part, grid, paint)
            parts.extend((picture, *picture.patches()))
        else:
            parts.append(part)
    return replace(turn, segments=tuple(parts), starts=tuple(starts))


def painted(picture: Picture, kept: Sequence[bool]) -> Image:
    """The picture with some patches masked, as PNG.

    Args:
        picture: one with a grid.
        kept: one entry a patch, row by row.

    Raises:
        PromptError: the picture cannot be read.
        MissingExtra: Pillow is not installed.
    """
    canvas = _opened(picture.image)
    grey = (_GREY,) * 3 + (255,) * (len(canvas.getbands()) - 3)
    blur = import_module("PIL.ImageFilter").GaussianBlur
    for at, keep in enumerate(kept):
        if keep:
            continue
        row, column = divmod(at, picture.columns)
        box = (
            canvas.width * column // picture.columns,
            canvas.height * row // picture.rows,
            canvas.width * (column + 1) // picture.columns,
            canvas.height * (row + 1) // picture.rows,
        )
        if picture.paint == "grey":
            canvas.paste(grey, box)
        else:
            radius = max(min(box[2] - box[0], box[3] - box[1]) / _BLUR, 1)
            canvas.paste(canvas.crop(box).filter(blur(radius)), box)
    out = io.BytesIO()
    canvas.save(out, format="PNG")
    return Image(base64.b64encode(out.getvalue()).decode(), "image/png")


def outline(picture: Picture, kept: Sequence[bool]) -> Image:
    """A stand-in for the painted picture: the same for the same picture under the same mask."""
    return replace(picture.image, url=f"{picture.paint}:{''.join('01'[keep] for keep in kept)}")


def _cut(picture: Picture, grid: object, paint: object) -> Picture:
    """The picture with a grid, once it is seen that it can be painted."""
    if len(sizes := [*grid] if isinstance(grid, Iterable) else []) != 2 or not all(
        isinstance(size, int) for size in sizes
    ):
        raise PromptError(
            f"{grid!r} is no grid.", advice="Give rows and columns, such as grid=(4, 4)."
        )
    rows, columns = sizes
    if min(rows, columns) < 1:
        raise PromptError(
            f"A grid of {rows} × {columns} has no patches.",
            advice="Give rows and columns, each at least 1, such as grid=(4, 4).",
        )
    cut = replace(picture, rows=rows, columns=columns, paint=str(paint))
    canvas = _opened(picture.image)
    if canvas.width < columns or canvas.height < rows:
        raise PromptError(
            f"The picture has {canvas.width} × {canvas.height} pixels, fewer than a grid of "
            f"{rows} rows and {columns} columns.",
            advice="Choose a coarser grid.",
        )
    return cut


def _opened(image: Image) -> Any:  # noqa: ANN401 - Pillow's own, which is not always there
    """The pixels, upright as they are meant to be seen, with three or four bands."""
    pillow = _pillow()
    try:
        picture = pillow.open(io.BytesIO(base64.b64decode(image.data, validate=True)))
        upright = import_module("PIL.ImageOps").exif_transpose(picture)
        clear = upright.has_transparency_data
        return upright.convert("RGBA" if clear else "RGB")
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PromptError(f"The picture cannot be read: {why}.") from None


def _media_type(data: bytes) -> str:
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data)) as picture:
            return str(pillow.MIME.get(picture.format, "image/png"))
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise PromptError(
            "The picture cannot be read: these bytes are none that Pillow knows.",
            advice="Give a PNG, JPEG, WebP or GIF.",
        ) from error


def _pillow() -> Any:  # noqa: ANN401 - as above
    try:
        return import_module("PIL.Image")
    except ImportError:
        raise MissingExtra(
            "Patches of a picture are masked with the package pillow, which is not installed.",
            advice='Run: python -m pip install "spex-api[vision]"',
        ) from None
