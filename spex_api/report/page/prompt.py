"""The prompt as it was sent, each feature tinted by its own effect and within reach of the script.

What this module does not know: which features go together; the script shows that.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from spex_api.prompts.parts import Picture
from spex_api.report import story
from spex_api.report.page.markup import names_of, number, safe, tint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.explanation import Explanation
    from spex_api.prompts.rendering import Marked

__all__ = ["drawn"]


def drawn(explanation: Explanation) -> str:
    """The turns with their roles; of a function, its features one after another."""
    effects = story.effects(explanation)
    tints = _Tints(effects)
    if explanation.prompt is None:
        named = enumerate(names_of(explanation))
        chips = " ".join(tints.feature(feature, name) for feature, name in named)
        return f'<div class="turn chips">{chips}</div>'
    return "\n".join(
        f'<div class="turn"><div class="role">{safe(turn.role)}</div>'
        f'<div class="said">{"".join(_turn(parts, tints))}</div></div>'
        for turn, parts in explanation.prompt.marked()
    )


class _Tints:
    """The effects as shades."""

    def __init__(self, effects: Sequence[float]) -> None:
        self._effects = effects
        self._strongest = max(map(abs, effects), default=0.0)

    def feature(self, feature: int, text: str) -> str:
        """A feature's text, tinted."""
        return f'<span class="{self._classes(feature)}" {self._says(feature)}>{safe(text)}</span>'

    def patch(self, feature: int | None, *, place: tuple[int, int], said: str) -> str:
        """A patch of a picture, tinted, in a grid whose cells are 1 wide and 1 high."""
        cell = f'<rect x="{place[1]}" y="{place[0]}" width="1" height="1"'
        if feature is None:
            return f"{cell}/>"
        effect = number(self._effects[feature])
        return (
            f'{cell} class="{self._classes(feature)}" data-f="{feature}">'
            f"<title>{safe(said)}: {effect}</title></rect>"
        )

    def _classes(self, feature: int) -> str:
        return f"f {tint(self._effects[feature], self._strongest)}".rstrip()

    def _says(self, feature: int) -> str:
        return f'data-f="{feature}" title="{number(self._effects[feature])}"'


def _turn(parts: Sequence[Marked], tints: _Tints) -> Iterator[str]:
    rest = iter(parts)
    for part, feature, _ in rest:
        if isinstance(part, Picture):
            if parts[0].part is not part:
                yield "<br>"  # what is said before it ends in no line break of its own
            patches = list(islice(rest, part.num_patches))
            yield _picture(part, patches, tints, feature)
        elif feature is None:
            yield f'<span class="pinned">{safe(part.original)}</span>'
        else:
            yield tints.feature(feature, part.text) + safe(part.gap)


def _picture(
    picture: Picture, patches: Sequence[Marked], tints: _Tints, feature: int | None
) -> str:
    """The picture with its patches; one that stands at an address is named by it and not loaded."""
    image = picture.image
    if not image.data:
        if feature is None:
            return f'<span class="pinned">{safe(picture.text)}</span><br>'
        return f"{tints.feature(feature, picture.text)}<br>"
    source = safe(f"data:{image.media_type};base64,{image.data}")
    shown = f'<img alt="the picture that was sent" src="{source}">'
    if patches:
        cells = "".join(
            tints.patch(each.feature, place=divmod(at, picture.columns), said=each.part.text)
            for at, each in enumerate(patches)
        )
        shown += (
            f'<svg class="patches" viewBox="0 0 {picture.columns} {picture.rows}" '
            f'preserveAspectRatio="none">{cells}</svg>'
        )
    if feature is not None:
        shown += tints.feature(feature, picture.text)
    return f'<span class="picture">{shown}</span><br>'
