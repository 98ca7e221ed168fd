"""The arguments of a pipeline: those that stay, and those that are cut into parts.

A list or a tuple is cut into its elements, a text into pieces. Each part reads as its address and
what it holds, in one line, as "documents[3]: …". What this module does not know: which parts are
left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from spex_api.errors import UsageError
from spex_api.pipelines.elements import shown
from spex_api.prompts import Prompt
from spex_api.prompts.parts import Turn
from spex_api.prompts.segmenters import Segment, segment
from spex_api.scores.matching import qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spex_api.prompts.segmenters import Split

__all__ = ["Argument", "Vary", "read_arguments"]

Vary = str | Sequence[str] | Mapping[str, "Split | None"] | None
"""Which arguments' parts are features: a name, several, or names and how each is cut."""

_LONGEST_PINNED: Final = 2000
"""Characters that a report shows of an argument that is never left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """One argument.

    Attributes:
        name: as the function calls it.
        value: what it is given with everything in.
        elements: of a list that is varied.
        segments: of a text that is varied; the pinned ones are no features.
        first: the number of its first feature.
        texts: how each of its features reads; of an argument that stays, how it reads.
        split: how a text is cut.
    """

    name: str
    value: object
    elements: tuple[object, ...] = ()
    segments: tuple[Segment, ...] = ()
    first: int = 0
    texts: tuple[str, ...] = ()
    split: Split | None = None

    @property
    def is_varied(self) -> bool:
        """Whether its parts are features."""
        return bool(self.elements or self.segments)

    @property
    def features(self) -> range:
        """The numbers of its features."""
        return range(self.first, self.first + len(self.texts) * self.is_varied)

    def with_only(self, features: Sequence[int]) -> object:
        """The argument with these of its features, in this order."""
        if self.elements:
            kept = (self.elements[feature - self.first] for feature in features)
            return tuple(kept) if isinstance(self.value, tuple) else list(kept)
        if not self.segments:
            return self.value
        pinned = any(part.pinned and part.text.strip() for part in self.segments)
        if not features and not pinned:
            return ""
        mask = [feature in features for feature in self.features]
        return Prompt((Turn("user", self.segments),)).render(mask)[0].content


def read_arguments(
    function: Callable[..., object], inputs: object, vary: Vary
) -> tuple[Argument, ...]:
    """The arguments in the order in which they are given, read.

    Args:
        function: what will be called with them.
        inputs: a dictionary of arguments by name, or a tuple of them by place.
        vary: which arguments' parts are features; None: every list's.

    Raises:
        UsageError: the function does not take these arguments, there is no such argument, it is no
            list and no text that is to be cut, or there are fewer than two parts.
        PromptError: a text cannot be cut that way.
    """
    named = _named(function, inputs)
    wanted = _wanted(named, vary)
    arguments: list[Argument] = []
    num_features = 0
    for name, value in named.items():
        if name in wanted:
            arguments.append(_varied(name, value, wanted[name], num_features))
            num_features += len(arguments[-1].texts)
        else:
            arguments.append(Argument(name, value, texts=(_cut_short(f"{name}: {shown(value)}"),)))
    if num_features < 2:
        raise UsageError(
            f"There is only one part that may be left out, of {', '.join(wanted)}: nothing is told "
            "apart by one.",
            cost="Nothing was asked.",
            advice="Vary another argument as well, or cut a text of it into finer pieces.",
        )
    return tuple(arguments)


def _cut_short(line: str) -> str:
    return line if len(line) <= _LONGEST_PINNED else line[:_LONGEST_PINNED] + "…"


def _named(function: Callable[..., object], inputs: object) -> dict[str, object]:
    """The arguments by name.

    Raises:
        UsageError: they are neither, or the function does not take them.
    """
    if not callable(function):
        raise UsageError(
            f"{function!r} cannot be called, and a pipeline is a function.",
            advice="Give the function itself, not what it returned.",
        )
    if isinstance(inputs, Mapping) and all(isinstance(name, str) for name in inputs):
        args, named = (), dict(inputs)
    elif isinstance(inputs, tuple):
        args, named = inputs, {}
    else:
        raise UsageError(
            f"The inputs are a {type(inputs).__name__}; they are the arguments of the function.",
            advice='Give a dictionary by name, as {"question": …, "documents": […]}, or a tuple by '
            "place.",
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions in C tell nothing
        signature = None
    if signature is not None:
        try:
            signature.bind(*args, **named)
        except TypeError as error:
            raise UsageError(
                f"{qualified_name(function)}{signature} does not take these inputs: {error}.",
                cost="Nothing was asked.",
            ) from None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = signature.parameters.values() if signature else ()
    names = [each.name for each in known if each.kind in by_place][: len(args)]
    names += [f"arguments[{place}]" for place in range(len(names), len(args))]
    return {**dict(zip(names, args, strict=True)), **named}


def _wanted(named: Mapping[str, object], vary: Vary) -> dict[str, Split | None]:
    """How each argument that is varied is cut; None: into its elements.

    Raises:
        UsageError: there is none to vary, or none of that name.
    """
    if vary is None:
        lists = {name: None for name, value in named.items() if _is_list(value) and value}
        if not lists:
            raise UsageError(
                f"None of the arguments {_listed(named)} is a list that holds something, so there "
                "is nothing to leave out.",
                cost="Nothing was asked.",
                advice='Cut a text, as vary={"question": "sentences"}.',
            )
        return dict(lists)
    wanted: dict[str, Split | None]
    if isinstance(vary, Mapping):
        wanted = dict(vary)
    else:
        wanted = dict.fromkeys([vary] if isinstance(vary, str) else vary)
    for name in wanted:
        if name not in named:
            raise UsageError(
                f"There is no argument {name!r} to vary; there are {_listed(named)}.",
                cost="Nothing was asked.",
            )
    if not wanted:
        raise UsageError("No argument is to be varied, so there is nothing to explain.")
    return wanted


def _varied(name: str, value: object, split: Split | None, first: int) -> Argument:
    """An argument cut into its features.

    Raises:
        UsageError: it has no parts, or is neither a list nor a text.
        PromptError: a text cannot be cut that way.
    """
    if isinstance(value, str):
        if split is None:
            raise UsageError(
                f"The argument {name!r} is a text, and it is not said how to cut it.",
                cost="Nothing was asked.",
                advice=f'For instance vary={{{name!r}: "sentences"}}.',
            )
        segments = segment(value, split)
        texts = _addressed(name, (part.text for part in segments if not part.pinned))
        return Argument(name, value, segments=segments, first=first, texts=texts, split=split)
    if not _is_list(value) or split not in (None, "elements"):
        raise UsageError(
            f"The argument {name!r} is a {type(value).__name__}"
            + (
                f" and cannot be cut into {split!r}."
                if _is_list(value)
                else ", which has no parts."
            ),
            cost="Nothing was asked.",
            advice="Vary a list or a tuple, whose elements are left out, or a text.",
        )
    elements = tuple(value)
    if not elements:
        raise UsageError(
            f"The argument {name!r} is empty, so there is nothing to leave out.",
            cost="Nothing was asked.",
        )
    return Argument(name, value, elements, first=first, texts=_addressed(name, elements))


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    # Of a named tuple the places have names, so none can be missing.
    return isinstance(value, list | tuple) and not hasattr(value, "_fields")


def _addressed(name: str, parts: Iterable[object]) -> tuple[str, ...]:
    return tuple(f"{name}[{place}]: {shown(part)}" for place, part in enumerate(parts))


def _listed(named: Mapping[str, object]) -> str:
    return ", ".join(map(repr, named)) or "none"
