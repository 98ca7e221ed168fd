"""A prompt whose parts may be masked.

What this module does not know: which masks are asked, and what a model makes of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.characters import check_whole
from spex_api.prompts.images import outline, painted
from spex_api.prompts.masking import render_run
from spex_api.prompts.parts import PICTURE_MASKS, TOOLS, StoredStyle, Turn, is_lost
from spex_api.prompts.rendering import marked, read_tools, rendered
from spex_api.prompts.segmenters import Segment
from spex_api.prompts.template import system_turn, template_turn

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from spex_api.messages import Image, Message
    from spex_api.prompts.choosing import Of
    from spex_api.prompts.masking import MaskStyle
    from spex_api.prompts.parts import Picture
    from spex_api.prompts.rendering import Kept
    from spex_api.prompts.segmenters import Split

__all__ = ["Prompt", "Turn"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation, some of whose parts are features and the rest pinned.

    Attributes:
        turns: the messages; a turn of the role "tools" holds the definitions of the tools instead.
        mask: how a masked feature is written; see `spex_api.prompts.masking`. A file holds only the
            name of a function: a prompt that is read back is masked again once
            `dataclasses.replace` has given it the function.
        ordered: whether neighbouring features are neighbours in the prompt; words, documents,
            messages and patches are, tools are not.
        feature_of: the number of the feature that each part belongs to which is not pinned, in
            their order; empty where each is a feature of its own.
    """

    turns: tuple[Turn, ...]
    mask: StoredStyle = "drop"
    ordered: bool = True
    feature_of: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        num_parts = sum(not part.pinned for turn in self.turns for part in turn.segments)
        if not num_parts:
            raise PromptError(
                "No part of the prompt is a feature, so there is nothing to mask.",
                advice="Split a text of it, or choose other messages with `of`.",
            )
        if self.feature_of and (
            len(self.feature_of) != num_parts
            or sorted(set(self.feature_of)) != list(range(max(self.feature_of) + 1))
        ):
            raise PromptError(
                f"{num_parts} parts may be masked, and the numbers of their features do not fit."
            )
        for turn in self.turns:
            check_whole("".join(part.original for part in turn.segments))
        if not isinstance(self.mask, str) and not callable(self.mask):
            raise PromptError(
                f"A masked part cannot be written as {self.mask!r}.",
                advice='Take "drop", "ellipsis", "token" or "placeholder", a text, or a function.',
            )
        if self.mask in PICTURE_MASKS:
            raise PromptError(
                f"{self.mask!r} is how patches of pictures are painted, and texts are masked here.",
                advice='Take "drop", "ellipsis", "token" or "placeholder", or another text.',
            )
        if isinstance(self.mask, str) and not is_lost(self.mask):
            check_whole(self.mask, what="The mask")
            render_run((Segment("a"),), (False,), self.mask, numbers=(1,))

    @classmethod
    def from_template(
        cls,
        template: str,
        *,
        split: Split = "words",
        mask: MaskStyle = "drop",
        of: str | None = None,
        system: str | None = None,
        language: str = "en",
        **texts: str,
    ) -> Prompt:
        """One user message in which one named text is split into features.

        Args:
            template: the message, with a name in braces where each text goes; `{{` is a brace.
            split: how, as `spex_api.prompts.segmenters` has it: "words", "sentences", "lines" and
                others, the pieces as a list, or a function that gives them.
            mask: "drop", "ellipsis", "token", "placeholder", the text that stands for a masked
                feature, or a function.
            of: the name of the text that is split; by default the only one, or `text`.
            system: a pinned system message that goes before.
            language: of the text, as a code such as "en", for splitting into sentences.
            texts: one a name in the template.

        Raises:
            PromptError: a name lacks its text or a text its place, the text is empty, or it cannot
                be split that way.
        """
        turn = template_turn(template, texts, split=split, of=of, language=language)
        return cls((*system_turn(system), turn), mask)

    @classmethod
    def from_openai(
        cls,
        messages: Iterable[object],
        *,
        split: Split = "messages",
        of: Of = None,
        tools: Iterable[object] = (),
        mask: MaskStyle = "drop",
        language: str = "en",
        grid: tuple[int, int] = (4, 4),
    ) -> Prompt:
        """A conversation as it is sent to OpenAI's chat API, and to all that speak its dialect.

        With everything kept the messages are those that were given, but for what no model reads:
        the marks of a prompt cache, and what only an answer has. What could be read and is not
        understood is refused. Under a mask it stays a conversation, as `spex_api.prompts.rendering`
        says.

        Args:
            messages: dictionaries, or the SDK's own objects.
            split: "messages", "few_shot", "tool_results", "instructions", "tools", "patches", or a
                way to split a text; `spex_api.prompts.choosing` says what each makes a feature.
            of: which messages: places in the list, counted from either end, or roles; by default
                the user's last one for a text, and all where that makes sense else.
            tools: the definitions of tools, as they are sent.
            mask: as in `from_template`; for patches "blur" or "grey".
            language: of the text, for splitting into sentences.
            grid: rows and columns, for patches.

        Raises:
            PromptError: it is no conversation, holds something that cannot be told in our words,
                or has nothing to mask.
            MissingExtra: a picture is cut into patches, and Pillow is not installed.
        """
        from spex_api.prompts.choosing import chosen  # noqa: PLC0415 - who has a conversation
        from spex_api.prompts.openai_turns import openai_turns  # noqa: PLC0415 - as above

        turns = openai_turns(messages, tools)
        return cls(*chosen(turns, split, of=of, mask=mask, language=language, grid=grid))

    @classmethod
    def from_anthropic(
        cls,
        system: object,
        messages: Iterable[object],
        *,
        split: Split = "messages",
        of: Of = None,
        tools: Iterable[object] = (),
        mask: MaskStyle = "drop",
        language: str = "en",
        grid: tuple[int, int] = (4, 4),
    ) -> Prompt:
        """A conversation as it is sent to Anthropic's Messages API.

        Args:
            system: text, a list of text blocks, or None.
            messages: dictionaries, or the SDK's own objects. A message of the user's that holds
                tools' results counts as one message for each of them, and one for what follows.
                What the user says behind such a message in another one is sent in the same one, as
                the API itself joins them.
            split: this and the rest as in `from_openai`.
            of: the system's message, where there is one, is at place 0.
            tools: in this dialect, as they are sent.
            mask: how what is masked is written.
            language: of the text.
            grid: rows and columns.

        Raises:
            PromptError: as in `from_openai`.
            MissingExtra: as in `from_openai`.
        """
        from spex_api.prompts.anthropic_turns import anthropic_turns  # noqa: PLC0415 - as above
        from spex_api.prompts.choosing import chosen  # noqa: PLC0415 - as above

        turns = anthropic_turns(system, messages, tools)
        return cls(*chosen(turns, split, of=of, mask=mask, language=language, grid=grid))

    @classmethod
    def from_rag(
        cls,
        question: str,
        documents: Sequence[str],
        *,
        template: str | None = None,
        split: Split = "documents",
        mask: MaskStyle = "drop",
        titles: Sequence[str] | None = None,
        system: str | None = None,
        language: str = "en",
    ) -> Prompt:
        """A pinned question and the documents that were found for it, each a feature.

        A document that is left out takes its number with it, and the others keep theirs.

        Args:
            question: the question.
            documents: their texts, in the order in which they are sent.
            template: the message, with `{documents}` and `{question}` in it; by default the
                documents come first.
            split: "documents", or a way to split the text of each; then its number and title stay.
                `refined` does that for some of them.
            mask: as in `from_template`.
            titles: one a document.
            system: a pinned system message that goes before.
            language: of the documents, for splitting into sentences.

        Raises:
            PromptError: there are no documents, one is empty, the titles do not match, or the
                template lacks a place.
        """
        from spex_api.prompts.documents import document_turn  # noqa: PLC0415 - as above

        turn, numbers = document_turn(question, documents, template=template, titles=titles)
        whole = cls((*system_turn(system), turn), mask, feature_of=numbers)
        if split == "documents":
            return whole
        return whole.refined(range(whole.num_features), split=split, language=language)

    @classmethod
    def from_image(
        cls,
        text: str,
        image: bytes | str | os.PathLike[str],
        *,
        grid: tuple[int, int] = (4, 4),
        mask: str = "blur",
        system: str | None = None,
    ) -> Prompt:
        """One user message: a picture whose patches are the features, and a pinned text.

        With every patch kept the picture's bytes are those that were given; else it is sent as PNG.

        Args:
            text: the question; `{image}` in it says where the picture goes, else it goes first.
            image: its bytes, or the path of a file.
            grid: rows and columns.
            mask: "blur" or "grey".
            system: a pinned system message that goes before.

        Raises:
            PromptError: the picture cannot be read, or is smaller than the grid.
            MissingExtra: Pillow is not installed.
        """
        from spex_api.prompts.images import picture_turn  # noqa: PLC0415 - as above

        return cls((*system_turn(system), picture_turn(text, image, grid=grid, paint=mask)))

    def refined(
        self,
        features: Iterable[int],
        *,
        split: Split = "sentences",
        language: str = "en",
    ) -> Prompt:
        """The same prompt with the texts of some features cut into features of their own.

        For instance documents, then the sentences of those that matter. The others stay what they
        are. What stands before a text in the same feature, as a document's number and title, is
        then pinned, and so are calls of tools and pictures.

        Args:
            features: the numbers of those to cut, counted from 0.
            split: a way to split a text.
            language: of the texts, for splitting into sentences.

        Raises:
            PromptError: there is no such feature, or a text cannot be split that way.
        """
        from spex_api.prompts.refining import cut_finer  # noqa: PLC0415 - who refines

        turns, numbers = cut_finer(
            self.marked(),
            features,
            num_features=self.num_features,
            split=split,
            language=language,
        )
        return replace(self, turns=turns, feature_of=numbers)

    @property
    def num_features(self) -> int:
        """How many features may be masked."""
        if self.feature_of:
            return max(self.feature_of) + 1
        return sum(not part.pinned for turn in self.turns for part in turn.segments)

    @property
    def features(self) -> tuple[str, ...]:
        """The text of each feature, in the order of a mask's entries; its parts joined by "→"."""
        texts: list[list[str]] = [[] for _ in range(self.num_features)]
        for _, parts_of in self.marked():
            for each in parts_of:
                if each.feature is not None:
                    texts[each.feature].append(each.part.text)
        return tuple(" → ".join(parts) for parts in texts)

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that the model may call: JSON texts in the endpoint's own dialect."""
        return self.tools_under([True] * self.num_features)

    def marked(self, mask: Sequence[bool] | Sequence[int] | None = None) -> Kept:
        """Each turn with its parts, and for each part its feature and whether the mask keeps it.

        Args:
            mask: one entry a feature, true = kept; all are kept without it.

        Raises:
            PromptError: the mask has another length.
        """
        kept = [True] * self.num_features if mask is None else [bool(entry) for entry in mask]
        if len(kept) != self.num_features:
            raise PromptError(
                f"The mask has {len(kept)} entries; the prompt has {self.num_features} features."
            )
        return marked(self.turns, self.feature_of or range(self.num_features), kept)

    def render(self, mask: Sequence[bool] | Sequence[int]) -> tuple[Message, ...]:
        """The conversation under a mask; with all kept, the original, character for character.

        Args:
            mask: one entry a feature, true = kept.

        Raises:
            PromptError: the mask has another length.
            MissingExtra: a patch of a picture is masked, and Pillow is not installed.
        """
        return self._rendered(mask, painted)

    def tools_under(self, mask: Sequence[bool] | Sequence[int]) -> tuple[str, ...]:
        """The tools that a mask leaves.

        Args:
            mask: one entry a feature, true = kept.

        Raises:
            PromptError: the mask has another length.
        """
        # Most prompts have none, and a mask is asked about them each time.
        has_any = any(turn.role == TOOLS for turn in self.turns)
        return read_tools(self.marked(mask)) if has_any else ()

    def reading(self, mask: Sequence[bool] | Sequence[int]) -> bytes:
        """The same for two masks under which a model reads the same; paints no picture.

        Args:
            mask: one entry a feature, true = kept.

        Raises:
            PromptError: the mask has another length.
        """
        turns = [message.read for message in self._rendered(mask, outline)]
        read = repr((turns, self.tools_under(mask)))
        return hashlib.blake2b(read.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def _rendered(
        self,
        mask: Sequence[bool] | Sequence[int],
        paint: Callable[[Picture, Sequence[bool]], Image],
    ) -> tuple[Message, ...]:
        if is_lost(self.mask):
            raise PromptError(
                f"This prompt was masked by {self.mask}, which no file holds.",
                advice="Give it again: dataclasses.replace(prompt, mask=function).",
            )
        return rendered(self.marked(mask), self.mask, paint)
