"""A zip that an enemy packed is refused by name, before anything of it is used."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile

import pytest

from spex_api.bundles.members import MANIFEST
from spex_api.bundles.unpacking import Caps, opened_bundle
from spex_api.errors import BundleRefused, SpecError, UsageError
from tests.bundles.conftest import packed

SLIPPERY = [
    "../evil.json",
    "/etc/passwd",
    "cases/../../evil/explanation.json",
    "cases\\..\\evil\\explanation.json",
    "C:evil.json",
    "cases/CON/explanation.json",
    "cases/a/explanation.json/",
    "cases/a/b/explanation.json",
    "audit.json ",
    "Audit.json",
    "\u202ehtml.json",
    "cases/" + "a" * 70 + "/explanation.json",
]


def refusal(path, **caps) -> str:
    """What is said of a bundle that is not opened."""
    with pytest.raises(BundleRefused) as refused, opened_bundle(path, caps=Caps(**caps)):
        pass
    return str(refused.value)


def test_a_whole_one_is_opened(made, tmp_path):
    """Each member can be read, and is unpacked under its own name."""
    with opened_bundle(made.path) as bundle:
        assert bundle.digest == made.bundled.digest
        for name, data in made.files().items():
            if name != MANIFEST:
                assert bundle.read(name) == data
                bundle.unpack(name, tmp_path)
                assert (tmp_path / name).read_bytes() == data


def test_one_that_changes_under_our_hands_is_refused(made, tmp_path):
    """What is read later is proved again."""
    path = made.copy(tmp_path)
    data = bytearray(path.read_bytes())
    data[200:240] = b"x" * 40
    with opened_bundle(path) as bundle:
        path.write_bytes(data)
        with pytest.raises(BundleRefused, match=r"answers\.jsonl"):
            bundle.read("answers.jsonl")


@pytest.mark.parametrize("name", SLIPPERY)
def test_a_name_that_no_bundle_holds(made, tmp_path, name):
    """It leads elsewhere, is a device, or looks like another's; nothing is written anywhere."""
    files = {**made.files(), name: b"{}"}
    said = refusal(packed(tmp_path / "run.zip", files))
    assert "is no file that a bundle holds" in said
    assert "\u202e" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["run.zip"]


def test_a_name_with_an_end_in_it(made, tmp_path):
    """A name that looks like another to whoever stops at a zero byte."""
    path = packed(tmp_path / "run.zip", {**made.files(), "plans.jsonlX": b"{}"})
    path.write_bytes(path.read_bytes().replace(b"plans.jsonlX", b"plans.jsonl\0"))
    assert "is no file that a bundle holds" in refusal(path)


def test_a_member_too_many_or_too_few(made, tmp_path):
    """Added, removed, or there twice: each is named."""
    files = made.files()
    added = packed(tmp_path / "added.zip", {**files, "cases/a/explanation.json": b"{}"})
    assert "'cases/a/explanation.json' in it was added" in refusal(added)
    for name in ("answers.jsonl", "plans.jsonl", MANIFEST, "index.html"):
        less = {key: data for key, data in files.items() if key != name}
        assert f"{name!r} in it is missing" in refusal(packed(tmp_path / "less.zip", less))
    twice = made.copy(tmp_path)
    with warnings.catch_warnings(), zipfile.ZipFile(twice, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("audit.json", files["audit.json"])
    assert "'audit.json' in it is there twice" in refusal(twice)


def test_what_every_bundle_has_must_be_in_the_manifest_too(made, tmp_path):
    """A manifest that names nothing proves nothing."""
    files = {name: data for name, data in made.files().items() if name == MANIFEST}
    said = refusal(packed(tmp_path / "run.zip", files, sealed=True))
    assert "'answers.jsonl' in it is missing" in said


def test_links_and_secrets(made, tmp_path):
    """A link, a folder, an encrypted file, or one that is packed in an unusual way."""
    files = made.files()
    for mode in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO):
        path = tmp_path / "run.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(name)
                if name == "audit.json":
                    entry.external_attr = (mode | 0o777) << 16
                archive.writestr(entry, data)
        assert "'audit.json' in it is a link or the like" in refusal(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert "packed in an unusual way" in refusal(path)
    encrypted = bytearray(packed(path, files).read_bytes())
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(encrypted)
    assert "encrypted" in refusal(path)


def test_a_bomb_is_not_unpacked(made, tmp_path):
    """Neither one that says how large it is, nor one that says it is small."""
    files = {**made.files(), "index.html": b"0" * (2**27 + 1)}
    path = packed(tmp_path / "run.zip", files, sealed=True)
    assert path.stat().st_size < 2**18
    assert "it would unpack to" in refusal(path)
    data = path.read_bytes()
    size = struct.pack("<L", 2**27 + 1)
    assert data.count(size) == 2
    path.write_bytes(data.replace(size, struct.pack("<L", 5000)))
    assert "'index.html' in it has another size than the manifest says" in refusal(path)


def test_caps(made):
    """Each of them, lower than this bundle needs; and no cap is nothing."""
    assert "longer than 100 bytes" in refusal(made.path, packed=100)
    assert "its directory names" in refusal(made.path, members=3)
    assert "would unpack" in refusal(made.path, unpacked=1000)
    assert "'manifest.json' in it is longer" in refusal(made.path, manifest=100)
    with pytest.raises(UsageError, match="at least one"):
        Caps(ratio=0)


def test_huge_counts_are_not_believed(made, tmp_path):
    """Neither of members nor of bytes, in the old form or in the longer one."""
    path = made.copy(tmp_path)
    data = path.read_bytes()
    end = len(data) - 22
    path.write_bytes(data[: end + 8] + struct.pack("<2H", 65534, 65534) + data[end + 12 :])
    assert "does not name 65,534 files" in refusal(path)
    path.write_bytes(data[: end + 12] + struct.pack("<L", 2**31) + data[end + 16 :])
    assert "its directory names 11 files in 2,147,483,648 bytes" in refusal(path)
    longer = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2**40, 2**40, 2**46, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:end] + longer + locator + tail)
    assert "its directory names 1,099,511,627,776 files" in refusal(path)


@pytest.mark.parametrize("kept", [0, 10, 1000, -1])
def test_one_that_breaks_off(made, tmp_path, kept):
    """An empty file, a beginning, and all but the last byte."""
    path = made.copy(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    assert "it is no zip file, or something follows its end" in refusal(path)


def test_one_with_a_tail(made, tmp_path):
    """Nothing may follow the end, as a second archive would."""
    path = made.copy(tmp_path)
    with path.open("ab") as file:
        file.write(b"more")
    assert "something follows its end" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"hello"
    assert "something follows its end" in refusal(path)


def test_every_changed_byte_is_found_or_means_nothing(made, tmp_path):
    """One byte at a time, spread over the whole file: refused, or all that is read is the same."""
    data = made.path.read_bytes()
    path, refusals = tmp_path / "run.zip", 0
    for at in range(0, len(data), max(1, len(data) // 200)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            with opened_bundle(path) as bundle:
                assert bundle.digest == made.bundled.digest
        except BundleRefused:
            refusals += 1
    assert refusals > 150


def test_a_manifest_that_is_none(made, tmp_path):
    """No JSON, another format, another key, or the same in other words."""
    files = made.files()
    for text in (
        b"{",
        b"[]",
        files[MANIFEST].replace(b"bundle 1", b"bundle 2"),
        files[MANIFEST].replace(b'{"endpoints"', b'{"more":1,"endpoints"'),
        files[MANIFEST].replace(b'{"endpoints"', b' {"endpoints"'),
        files[MANIFEST].replace(b'"size":', b'"size":-'),
    ):
        path = packed(tmp_path / "run.zip", {**files, MANIFEST: text})
        assert "'manifest.json' in it is" in refusal(path)


def test_what_is_no_file(tmp_path):
    """A folder, or nothing."""
    for path in (tmp_path, tmp_path / "absent.zip"):
        with pytest.raises(SpecError, match="is no file"), opened_bundle(path):
            pass


def test_a_member_beyond_its_size_is_cut_off(made, tmp_path):
    """A directory that understates a member, and a manifest that agrees, do not help it in."""
    files = made.files()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data + b" " * 9 if name == "audit.json" else data)
    data = stream.getvalue()
    true = struct.pack("<L", len(files["audit.json"]) + 9)
    path = tmp_path / "run.zip"
    path.write_bytes(data.replace(true, struct.pack("<L", len(files["audit.json"]))))
    assert "'audit.json' in it" in refusal(path)
