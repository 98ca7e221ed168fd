"""An audit as somebody recorded it: in a bundle, a folder or a file. Nothing is computed again.

What this module does not know: whether what was recorded follows from the answers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spex_api.audit_file import read_audit
from spex_api.bundles.evidence import texts
from spex_api.bundles.members import (
    ANSWERS,
    AUDIT,
    CASES,
    ENDING,
    PLANS,
    SPEC,
    digest_of_spec,
    refused,
)
from spex_api.bundles.unpacking import Bundle, opened_bundle
from spex_api.errors import SpexError

if TYPE_CHECKING:
    from spex_api.audited import Audit

__all__ = ["is_audit", "is_bundle", "read_recorded", "recorded_audit"]

_BEGINS: Final = b'"format": "spex-api audit'


def is_bundle(path: Path) -> bool:
    """Whether a path is meant as a bundle's."""
    return path.suffix == ENDING and not path.is_dir()


def is_audit(path: Path) -> bool:
    """Whether this is an audit: a bundle, the folder of one, or its audit.json by any name."""
    if path.is_dir():
        return (path / AUDIT).is_file()
    if is_bundle(path):
        return True
    try:
        with path.open("rb") as file:
            return _BEGINS in file.read(len(_BEGINS) + 8)
    except OSError:
        return False


def read_recorded(path: Path) -> Audit:
    """An audit as it was recorded, from a bundle, its folder or its audit.json; not rebuilt.

    Args:
        path: any of these.

    Raises:
        BundleRefused: a bundle is not what its manifest says.
        SpecError: a file cannot be read.
        UsageError: it is no audit of this version.
    """
    if not is_bundle(path):
        return read_audit(path)
    with (
        opened_bundle(path) as bundle,
        tempfile.TemporaryDirectory(prefix="spex-bundle-") as passing,
    ):
        return recorded_audit(bundle, Path(passing))


def recorded_audit(bundle: Bundle, folder: Path) -> Audit:
    """The audit as a bundle has it, unpacked into a folder.

    Args:
        bundle: checked.
        folder: an empty one.

    Raises:
        BundleRefused: its files do not fit each other.
    """
    for name in bundle.manifest.members:
        if name != ANSWERS and name.endswith(".json"):
            bundle.unpack(name, folder)
    try:
        recorded = read_audit(folder)
        spec = recorded.spec or {}
        digest = digest_of_spec(spec)
    except (SpexError, ValueError) as error:
        why = error.cause.rstrip(".") if isinstance(error, SpexError) else "it is no JSON"
        raise refused(bundle.path, f"cannot be used: {why}", member=AUDIT) from None
    if digest != bundle.manifest.spec_sha256:
        raise refused(bundle.path, "has another spec than the manifest says", member=AUDIT)
    told = {name for name, _ in texts(recorded)}
    for name in bundle.manifest.members:
        if name.endswith("explanation.json") and name not in told:
            raise refused(bundle.path, "is of no case of the audit", member=name)
    for name, data in texts(recorded):
        if name in (SPEC, CASES, PLANS) and bundle.read(name) != data:
            raise refused(bundle.path, "is not as audit.json has it", member=name)
    return recorded
