"""A record as it is stored: compressed, under a checksum.

What this module does not know: where it is stored, and what it says.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

from spex_api.errors import CacheCorrupt

__all__ = ["pack", "unpack"]

_MAX_RECORD: Final = 64 * 2**20
"""Bytes that a record may unpack to: no reply is that long, so a longer one is a bomb."""
_CHECKSUM: Final = 8
_EFFORT: Final = 3
_WINDOW: Final = 13
_MEMORY: Final = 6
"""Of zlib: its usual window is 32 KB, which takes longer to set up than a record to squeeze."""


def pack(record: bytes) -> bytes:
    """The bytes that are stored for a record."""
    squeeze = zlib.compressobj(_EFFORT, zlib.DEFLATED, _WINDOW, _MEMORY)
    squeezed = squeeze.compress(record) + squeeze.flush()
    return hashlib.sha256(record).digest()[:_CHECKSUM] + squeezed


def unpack(packed: bytes, key: str) -> bytes:
    """The record in what is stored.

    Raises:
        CacheCorrupt: it is not what was written.
    """
    checksum, squeezed = packed[:_CHECKSUM], packed[_CHECKSUM:]
    try:
        unzip = zlib.decompressobj()
        record = unzip.decompress(squeezed, _MAX_RECORD)
        whole = unzip.eof
    except zlib.error:
        record, whole = b"", False
    if not whole or hashlib.sha256(record).digest()[:_CHECKSUM] != checksum:
        raise CacheCorrupt(f"The record {key[:12]} of the cache is not what was written.")
    return record
