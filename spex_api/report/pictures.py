"""A picture of the prompt, its patches tinted by their effects.

What this module does not know: what a page is, and how a patch is masked.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.prompts.parts import Picture

__all__ = ["STYLE", "drawn"]

STYLE = """
.picture { position: relative; display: inline-block; max-width: 100%; line-height: 0; }
.picture img { max-width: 100%; }
.patches { position: absolute; inset: 0; display: grid; }
.patches span { outline: 1px solid rgba(128, 128, 128, .4); }
"""


def drawn(picture: Picture, tints: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The picture as HTML; one that stands at an address is named by it and not loaded.

    Args:
        picture: with its bytes.
        tints: for each patch what it is called, and a CSS colour; none where it is not cut.
    """
    image = picture.image
    if not image.data:
        yield f'<span class="pinned">{escape(picture.text)}</span><br>'
        return
    source = escape(f"data:{image.media_type};base64,{image.data}")
    yield f'<span class="picture"><img alt="the picture that was sent" src="{source}">'
    if tints:
        columns = f"grid-template-columns: repeat({picture.columns}, 1fr)"
        rows = f"grid-template-rows: repeat({picture.rows}, 1fr)"
        yield f'<span class="patches" style="{columns}; {rows}">'
        for said, colour in tints:
            yield f'<span title="{escape(said)}" style="background: {colour}"></span>'
        yield "</span>"
    yield "</span><br>"
