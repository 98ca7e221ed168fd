"""What goes to a worker and comes back: one step of one prompt, in words that any process can read.

Everything is pickled here and opened there, so the scheduler passes on bytes alone. It is trusted
with what they say, prompts and answers' values, but never with a key: workers have their own. What
this module does not know: who sends an errand, and who takes it.
"""

from __future__ import annotations

import os
import pickle
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cloudpickle

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.audited import Audited
    from spex_api.audits.inquired import Inquired
    from spex_api.audits.terrain import Brief
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.policy import Meter

__all__ = ["Counts", "Errand", "Kit", "Returned", "packed", "packed_kit", "unpacked"]

_SECRET: Final = re.compile(r"(^|_)(API_?KEY|ACCESS_KEY|TOKEN|SECRET(_KEY)?|PASSWORD)$")
_SHORTEST: Final = 8
"""Characters of a secret: of a shorter one any bytes may hold a copy by chance."""
_NAMES: Final = {
    "model": "model",
    "score": "score",
    "make": "template",
    "decoder": "decoder",
    "terms": "price or the limits",
}


class Kit(NamedTuple):
    """What a worker needs once for all errands of a run.

    Attributes:
        brief: what all prompts are asked under; its terms name no store.
        open_store: opens the answers that all workers share.
    """

    brief: Brief
    open_store: Callable[[], AnswerStore]


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """One step of one prompt.

    Attributes:
        run: names the run.
        version: of the package that sends it.
        kit: what all of its errands need, packed.
        step: "open", "probe", "look" or "audited".
        each: how far the prompt is.
    """

    run: str
    version: str
    kit: bytes
    step: str
    each: Inquired


@dataclass(frozen=True, slots=True)
class Counts:
    """What one worker has sent of a run so far.

    Attributes:
        worker: names it; one that was started anew has another name.
        meter: of its stack.
    """

    worker: str
    meter: Meter


@dataclass(frozen=True, slots=True, eq=False)
class Returned:
    """What comes back.

    Attributes:
        each: how far the prompt is now.
        counts: of the worker.
        audited: what came of the prompt, where that was asked for.
    """

    each: Inquired
    counts: Counts
    audited: Audited | None = None


def packed(what: Errand | Returned) -> bytes:
    """It as bytes."""
    data: bytes = cloudpickle.dumps(what)
    return data


def unpacked(data: bytes) -> Any:  # noqa: ANN401 - an errand, a kit or what comes back
    """What was packed.

    Args:
        data: from a process of our own cluster: nobody else's bytes come here.
    """
    return pickle.loads(data)  # noqa: S301 - whoever is in the cluster runs code there anyway


def packed_kit(kit: Kit) -> bytes:
    """It as bytes, once it is known that it may travel.

    Raises:
        UsageError: a part of it cannot be sent to another process, or holds a key.
    """
    try:
        data: bytes = cloudpickle.dumps(tuple(kit))
    except Exception:  # noqa: BLE001 - what goes wrong in pickling is as foreign as what is pickled
        raise _unsendable(_part_that_stays(kit.brief)) from None
    for name, secret in os.environ.items():
        if _SECRET.search(name.upper()) and len(secret) >= _SHORTEST and secret.encode() in data:
            raise UsageError(
                f"What the workers are to be given holds the value of {name}, and no key goes "
                "through a scheduler.",
                cost="Nothing was sent.",
                advice='Name the model, as in "openai:gpt-4.1-mini": each worker reads its own '
                "environment.",
            )
    return data


def _part_that_stays(brief: Brief) -> str:
    for each in fields(brief):
        try:
            cloudpickle.dumps(getattr(brief, each.name))
        except Exception:  # noqa: BLE001 - as above
            return _NAMES.get(each.name, each.name)
    return "store"


def _unsendable(part: str) -> UsageError:
    return UsageError(
        f"The {part} of this audit cannot be sent to another process.",
        cost="Nothing was sent.",
        advice="Name the model rather than giving an adapter that is connected already, give plain "
        "functions and values, or audit without a scheduler.",
    )
