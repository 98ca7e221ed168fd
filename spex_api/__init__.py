"""Explain API-hosted language models: which parts of a prompt, alone and together, matter.

The names below are loaded when they are first used, so that importing the package loads no vendor's
SDK, no solver and no plotting.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.audited import Audit
    from spex_api.audits.auditing import audit, audit_sync
    from spex_api.audits.comparing import compare_audits
    from spex_api.bundles.replaying import Replayed, replay
    from spex_api.bundles.writing import write_bundle
    from spex_api.causes.confirming import verify, verify_sync
    from spex_api.comparing import Comparison, compare
    from spex_api.errors import SpexError
    from spex_api.explainer import explain, explain_function, explain_sync
    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions, interactions
    from spex_api.measuring import measure, measure_sync
    from spex_api.pipelines.explaining import explain_pipeline, explain_pipeline_sync
    from spex_api.planner import plan, plan_sync
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter, load_adapter
    from spex_api.querying.budget import Budget
    from spex_api.querying.pace.limits import Limits
    from spex_api.querying.pricing import Price
    from spex_api.samples import Samples
    from spex_api.scores import (
        Auto,
        Function,
        JsonField,
        Judge,
        LabelFrequency,
        LabelLogOdds,
        Numeric,
        Pattern,
        Predicate,
        Refusal,
        Says,
        Similarity,
        TargetLogProb,
        ToolCalled,
        Words,
    )
    from spex_api.transforms import FourierTransform

__all__ = [
    "Adapter",
    "Audit",
    "Auto",
    "Budget",
    "Comparison",
    "Explanation",
    "FourierTransform",
    "Function",
    "Interactions",
    "JsonField",
    "Judge",
    "LabelFrequency",
    "LabelLogOdds",
    "Limits",
    "Numeric",
    "Pattern",
    "Predicate",
    "Price",
    "Prompt",
    "Refusal",
    "Replayed",
    "Samples",
    "Says",
    "Similarity",
    "SpexError",
    "TargetLogProb",
    "ToolCalled",
    "Words",
    "audit",
    "audit_sync",
    "compare",
    "compare_audits",
    "explain",
    "explain_function",
    "explain_pipeline",
    "explain_pipeline_sync",
    "explain_sync",
    "interactions",
    "load_adapter",
    "measure",
    "measure_sync",
    "plan",
    "plan_sync",
    "replay",
    "verify",
    "verify_sync",
    "write_bundle",
]

_HOMES = {
    "Adapter": "querying.adapter",
    "Audit": "audited",
    "Auto": "scores",
    "Budget": "querying.budget",
    "Comparison": "comparing",
    "Explanation": "explanation",
    "FourierTransform": "transforms",
    "Function": "scores",
    "Interactions": "indices",
    "JsonField": "scores",
    "Judge": "scores",
    "LabelFrequency": "scores",
    "LabelLogOdds": "scores",
    "Limits": "querying.pace.limits",
    "Numeric": "scores",
    "Pattern": "scores",
    "Predicate": "scores",
    "Price": "querying.pricing",
    "Prompt": "prompts",
    "Refusal": "scores",
    "Replayed": "bundles.replaying",
    "Samples": "samples",
    "Says": "scores",
    "Similarity": "scores",
    "SpexError": "errors",
    "TargetLogProb": "scores",
    "ToolCalled": "scores",
    "Words": "scores",
    "audit": "audits.auditing",
    "audit_sync": "audits.auditing",
    "compare": "comparing",
    "compare_audits": "audits.comparing",
    "explain": "explainer",
    "explain_function": "explainer",
    "explain_pipeline": "pipelines.explaining",
    "explain_pipeline_sync": "pipelines.explaining",
    "explain_sync": "explainer",
    "interactions": "indices",
    "load_adapter": "querying.adapter",
    "measure": "measuring",
    "measure_sync": "measuring",
    "plan": "planner",
    "plan_sync": "planner",
    "replay": "bundles.replaying",
    "verify": "causes.confirming",
    "verify_sync": "causes.confirming",
    "write_bundle": "bundles.writing",
}


def __getattr__(name: str) -> object:
    """Loads a public name from its module, and keeps it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
