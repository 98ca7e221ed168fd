"""A bundle is read as if an enemy had packed it: everything is checked before anything is used.

Only files that the manifest names, each once, under a name of a known form, none of them a link,
encrypted, larger than it says or beyond a cap; then the checksum of each. What this module does not
know: what stands in any of them but the manifest.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from pydantic import ValidationError

from spex_api.bundles.members import MANIFEST, NEEDED, Manifest, is_member, refused
from spex_api.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Bundle", "Caps", "opened_bundle"]

_CHUNK: Final = 2**20
_GRACE: Final = 2**26
"""Bytes that any bundle may unpack to, however small it is."""
_PACKED_BY: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_END: Final = struct.Struct("<4s4H2LH")
_END_64_AT: Final = struct.Struct("<4sLQL")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_ENTRY: Final = 46 + 200
"""Bytes of the directory that a member takes at the most: names of known forms are short."""
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""What zipfile raises where a file is not what its directory says."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a bundle may be at the most; a larger one is refused, not cut.

    Attributes:
        members: files in it.
        manifest: bytes of the manifest.
        packed: bytes of the bundle.
        unpacked: bytes of all files in it.
        ratio: unpacked bytes to a packed one.
    """

    members: int = 2**18
    manifest: int = 2**26
    packed: int = 2**34
    unpacked: int = 2**36
    ratio: int = 400

    def __post_init__(self) -> None:
        if min(self.members, self.manifest, self.packed, self.unpacked, self.ratio) < 1:
            raise UsageError("Each cap of a bundle is at least one.")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are all what its manifest says.

    Attributes:
        path: where it is.
        manifest: what it says of itself.
        digest: of the manifest, and so of all that is in the bundle.
    """

    path: Path
    manifest: Manifest
    digest: str
    _zip: zipfile.ZipFile

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            BundleRefused: the file was changed since it was opened.
        """
        return b"".join(self._proved(name))

    def unpack(self, name: str, to: Path) -> None:
        """Writes a member into a folder, under its own name.

        Raises:
            BundleRefused: the file was changed since it was opened.
            OSError: it cannot be written.
        """
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in self._proved(name):
                file.write(chunk)

    def _proved(self, name: str) -> Iterator[bytes]:
        """The bytes of a member; at their end, what they are in all is compared.

        Raises:
            BundleRefused: they are not what the manifest says.
        """
        member = self.manifest.members[name]
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(_CHUNK):
                    size += len(chunk)
                    if size > member.size:
                        break
                    digest.update(chunk)
                    yield chunk
        except _UNREADABLE:
            raise refused(self.path, "cannot be unpacked", member=name) from None
        if (size, digest.hexdigest()) != (member.size, member.sha256):
            raise refused(self.path, "is not what the manifest says: it was changed", member=name)


@contextmanager
def opened_bundle(path: Path, *, caps: Caps | None = None) -> Iterator[Bundle]:
    """A bundle, checked whole.

    Args:
        path: the file.
        caps: what it may be at the most.

    Raises:
        BundleRefused: it is not what its manifest says, or beyond a cap.
        SpecError: there is no such file.
    """
    limits = caps or Caps()
    if not path.is_file():
        raise SpecError(f"{path} is no file.", advice="Name a bundle that spex audit wrote.")
    try:
        with path.open("rb") as file:
            count = _count(file, path, limits)
            with _zip(file, path) as archive:
                if len(archive.infolist()) != count:
                    raise refused(path, f"its directory does not name {count:,} files, as it says")
                yield _checked(archive, path, limits)
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}.") from None


def _zip(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except _UNREADABLE:
        raise refused(path, "it is no zip file, or breaks off") from None


def _count(file: BinaryIO, path: Path, caps: Caps) -> int:
    """How many files it says it holds, where its directory may be read into memory.

    Raises:
        BundleRefused: it is not, or there is none at the file's very end.
    """
    size = file.seek(0, 2)
    if size > caps.packed:
        raise refused(path, f"it is longer than {caps.packed:,} bytes")
    count, length = _end(file, path, size)
    if count > caps.members or length > count * _ENTRY:
        raise refused(path, f"its directory names {count:,} files in {length:,} bytes")
    file.seek(0)
    return count


def _end(file: BinaryIO, path: Path, size: int) -> tuple[int, int]:
    """How many files the directory names, and its length in bytes.

    Raises:
        BundleRefused: no directory ends where the file ends.
    """

    def record(form: struct.Struct, at: int, mark: bytes) -> tuple[int, ...]:
        file.seek(max(at, 0))
        data = file.read(form.size)
        if at < 0 or len(data) < form.size or not data.startswith(mark):
            raise refused(path, "it is no zip file, or something follows its end")
        return form.unpack(data)[1:]

    end = record(_END, size - _END.size, b"PK\5\6")
    count, length = end[3], end[4]
    if count == 0xFFFF or 0xFFFFFFFF in end[4:6]:
        at = record(_END_64_AT, size - _END.size - _END_64_AT.size, b"PK\6\7")[1]
        longer = record(_END_64, at, b"PK\6\6")
        count, length = longer[6], longer[7]
    return count, length


def _checked(archive: zipfile.ZipFile, path: Path, caps: Caps) -> Bundle:
    """The bundle, once each of its files is what it must be.

    Raises:
        BundleRefused: one is not.
    """
    infos = _by_name(archive, path)
    total = sum(info.file_size for info in infos.values())
    packed = sum(info.compress_size for info in infos.values())
    if total > min(caps.unpacked, max(_GRACE, caps.ratio * packed)):
        raise refused(path, f"it would unpack to {total:,} bytes, as no bundle does")
    text = _manifest_text(archive, infos, path, caps)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        raise refused(path, "is no manifest that is known here", member=MANIFEST) from None
    if manifest.text() != text:
        raise refused(path, "is not as any bundle has it", member=MANIFEST)
    for name in sorted(infos.keys() - {MANIFEST} - manifest.members.keys()):
        raise refused(path, "was added: the manifest does not name it", member=name)
    for name in sorted({*NEEDED, *manifest.members} - infos.keys()):
        raise refused(path, "is missing", member=name)
    for name, member in manifest.members.items():
        if infos[name].file_size != member.size:
            raise refused(path, "has another size than the manifest says", member=name)
    bundle = Bundle(path, manifest, hashlib.sha256(text).hexdigest(), archive)
    for name in manifest.members:
        for _ in bundle._proved(name):  # noqa: SLF001 - this module's own
            pass
    return bundle


def _by_name(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries of the directory, each a plain file under a name that a bundle may hold.

    Raises:
        BundleRefused: one is not.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        if name in found:
            raise refused(path, "is there twice", member=name)
        if name != info.filename or not (name == MANIFEST or is_member(name)):
            raise refused(path, "is no file that a bundle holds", member=name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.is_dir():
            raise refused(path, "is a link or the like, and no plain file", member=name)
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _PACKED_BY:
            raise refused(path, "is encrypted, or packed in an unusual way", member=name)
        found[name] = info
    if MANIFEST not in found:
        raise refused(path, "is missing", member=MANIFEST)
    return found


def _manifest_text(
    archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], path: Path, caps: Caps
) -> bytes:
    if infos[MANIFEST].file_size > caps.manifest:
        raise refused(path, f"is longer than {caps.manifest:,} bytes", member=MANIFEST)
    try:
        return archive.read(MANIFEST)
    except _UNREADABLE:
        raise refused(path, "cannot be unpacked", member=MANIFEST) from None
