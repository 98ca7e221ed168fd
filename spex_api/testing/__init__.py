"""For tests, the user's and ours: models that are functions, and servers that fail on purpose.

The catalogue of faults is `spex_api.testing.faults`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.testing.dialects import known_words
    from spex_api.testing.fault_server import FaultServer
    from spex_api.testing.functions import FunctionAdapter, planted_transform
    from spex_api.testing.pipelines import PlantedPipeline, planted_pipeline
    from spex_api.testing.process import server_process
    from spex_api.testing.script import (
        BatchPlan,
        Drift,
        Enforced,
        Fault,
        Route,
        Row,
        Script,
        holding,
    )

__all__ = [
    "BatchPlan",
    "Drift",
    "Enforced",
    "Fault",
    "FaultServer",
    "FunctionAdapter",
    "PlantedPipeline",
    "Route",
    "Row",
    "Script",
    "holding",
    "known_words",
    "planted_pipeline",
    "planted_transform",
    "server_process",
]

_HOMES = {
    "FaultServer": "fault_server",
    "FunctionAdapter": "functions",
    "PlantedPipeline": "pipelines",
    "known_words": "dialects",
    "planted_pipeline": "pipelines",
    "planted_transform": "functions",
    "server_process": "process",
}


def __getattr__(name: str) -> object:
    """Loads a public name from its module, and keeps it: the server is also run as a program."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'script')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
