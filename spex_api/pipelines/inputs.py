"""What a pipeline is called with, as a prompt whose parts may be left out or moved.

To whoever asks, the arguments are a prompt of one turn: each argument that stays as it is, and each
part of the others, is a block that begins with its address, as "documents[3]: …". From the blocks
of a question follows which parts are there and in which order, and so what the function is called
with. What this module does not know: the function's answer, and which parts matter.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spex_api.errors import UsageError
from spex_api.messages import Message
from spex_api.pipelines.arguments import Argument, Vary, read_arguments
from spex_api.prompts import Prompt
from spex_api.prompts.parts import Turn
from spex_api.prompts.segmenters import Segment
from spex_api.provenance import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.claims import Arrangement

__all__ = ["Inputs"]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a pipeline is called with, and which parts of it are features.

    Attributes:
        arguments: in the order in which they were given.
        positional: whether the function takes them by place.
        prompt: the same as a prompt, for who asks and who reports.
    """

    arguments: tuple[Argument, ...]
    positional: bool
    prompt: Prompt = field(init=False)
    _feature_of: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        blocks = [
            Segment(text, "\n", pinned=not each.is_varied)
            for each in self.arguments
            for text in each.texts
        ]
        turn = Turn("user", tuple(blocks), starts=tuple(range(len(blocks))))
        object.__setattr__(self, "prompt", Prompt((turn,)))
        varied = [block.original for block in blocks if not block.pinned]
        object.__setattr__(self, "_feature_of", {text: n for n, text in enumerate(varied)})

    @classmethod
    def of(cls, function: Callable[..., object], inputs: object, vary: Vary) -> Inputs:
        """The arguments, read.

        Args:
            function: what will be called with them.
            inputs: a dictionary of arguments by name, or a tuple of them by place.
            vary: which arguments' parts are features; None: every list's.

        Raises:
            UsageError: the function does not take these arguments, there is no such argument, it is
                no list and no text that is to be cut, or there are fewer than two parts.
            PromptError: a text cannot be cut that way.
        """
        return cls(
            read_arguments(function, inputs, vary), positional=not isinstance(inputs, Mapping)
        )

    @property
    def everything(self) -> tuple[int, ...]:
        """All features, where they stand."""
        return tuple(range(self.prompt.num_features))

    @property
    def places(self) -> dict[int, int]:
        """For each feature that can stand elsewhere, how many places its list has."""
        return {
            feature: len(each.elements)
            for each in self.arguments
            for feature in each.features
            if len(each.elements) > 1
        }

    def arranged(self, arrangement: Arrangement) -> tuple[int, ...]:
        """The features that an arrangement leaves, in its order.

        Raises:
            UsageError: a part is to be moved that does not stand in a list, or has no such place.
        """
        order: list[int] = []
        for each in self.arguments:
            standing = list(each.features)
            for feature, place in arrangement.moved:
                if feature in each.features:
                    if place >= self.places.get(feature, 0):
                        raise UsageError(f"Part {feature} cannot stand at place {place}.")
                    standing.remove(feature)
                    standing.insert(place, feature)
            order += standing
        return tuple(feature for feature in order if feature not in arrangement.removed)

    def asked(self, features: Sequence[int]) -> tuple[Message, ...]:
        """The question with these features, in this order: what a mask makes of the prompt."""
        blocks = [
            f"{text}\n"
            for each in self.arguments
            for text in (
                [each.texts[n - each.first] for n in features if n in each.features]
                if each.is_varied
                else each.texts
            )
        ]
        return (Message.of_blocks("user", tuple(blocks)),)

    def features_in(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The features that are there in a question, in its order."""
        blocks = (block for message in messages for block in message.blocks)
        found = (self._feature_of.get(block) for block in blocks if isinstance(block, str))
        return tuple(feature for feature in found if feature is not None)

    def call(self, features: Sequence[int]) -> tuple[tuple[object, ...], dict[str, object]]:
        """What the function is called with: arguments by place, and by name.

        Lists are new ones at each call; their elements are the caller's own.
        """
        values = {
            each.name: each.with_only([n for n in features if n in each.features])
            for each in self.arguments
        }
        return (tuple(values.values()), {}) if self.positional else ((), values)

    def described(self, function: Callable[..., object]) -> Pipeline:
        """The function and its arguments in words that a file holds."""
        splits = {each.name: each.split for each in self.arguments if each.is_varied}
        named = all(split is None or isinstance(split, str) for split in splits.values())
        return Pipeline(
            _importable(function),
            _stored({each.name: each.value for each in self.arguments}) if named else None,
            {name: split if isinstance(split, str) else "" for name, split in splits.items()},
        )


def _importable(function: Callable[..., object]) -> str:
    """The function as "module:name"; "" where it has no such name."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    bound = inspect.ismethod(function)
    return f"{module}:{name}" if module and name and "<" not in name and not bound else ""


def _stored(named: dict[str, object]) -> dict[str, Any] | None:
    """The arguments as JSON; None where that would not give them back."""
    try:
        stored: dict[str, Any] = json.loads(json.dumps(named, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return None
    return stored if stored == _without_tuples(named) else None


def _without_tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_tuples(each) for key, each in value.items()}
    return [_without_tuples(each) for each in value] if isinstance(value, list | tuple) else value
