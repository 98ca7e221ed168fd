"""Bundles: what goes out comes in, and what was touched on the way stays outside."""

from __future__ import annotations

import builtins
import hashlib
import json
import stat
from typing import TYPE_CHECKING

import pytest
import zstandard

from spex_api.completions import Completion, Fingerprint
from spex_api.errors import BundleRefused, CacheCorrupt, MissingExtra, UsageError
from spex_api.querying.answers import bundle_file
from spex_api.querying.answers.bundle import Caps, export_bundle, import_bundle
from spex_api.querying.answers.record import Keyed, Selection, write_record
from spex_api.querying.answers.store import DiskStore

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])


def keep(store: DiskStore, number: int, *, raw: str = "{}", with_prompt: bool = True) -> str:
    """Puts an answer on disk, and returns its key."""
    asked = Keyed.of(Fingerprint("http://host/v1", "m", {"text": f"question {number}"}))
    answer = Completion("", model="m-2026", raw=raw)
    store.put(asked.key, write_record(asked, answer, with_prompt=with_prompt))
    return asked.key


@pytest.fixture
def store(answers):
    opened = DiskStore(answers)
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(tmp_path):
    opened = DiskStore(tmp_path / "elsewhere")
    yield opened
    opened.close()


@pytest.fixture
def lines(store, tmp_path) -> list[str]:
    """The lines of a bundle of three answers."""
    for number in range(3):
        keep(store, number)
    export_bundle(store, tmp_path / "whole.jsonl")
    return (tmp_path / "whole.jsonl").read_text().splitlines()


def bundle(path: Path, lines: list[str], *, repaired: bool = False) -> Path:
    """A bundle of these lines; `repaired` works its manifest out again, as a forger would."""
    text = "".join(line + "\n" for line in lines[1:]).encode()
    head = json.loads(lines[0])
    if repaired:
        digest = hashlib.sha256(text).hexdigest()
        head |= {"sha256": digest, "count": len(lines) - 1, "length": len(text)}
    path.write_bytes(json.dumps(head).encode() + b"\n" + text)
    return path


@SUFFIXES
def test_what_goes_out_comes_in(store, elsewhere, tmp_path, suffix):
    """Every record, byte for byte; a second time it is known already."""
    for number in range(600):
        keep(store, number, raw=f'{{"a": {number}}}')
    path = tmp_path / f"bundle{suffix}"
    done = export_bundle(store, path)
    assert (done.count, done.left_out) == (600, 0)
    assert str(done).startswith("600 answers written")
    taken = import_bundle(elsewhere, path)
    assert (taken.count, taken.known, taken.conflicts) == (600, 0, ())
    assert {key: store.get(key) for key in store} == {key: elsewhere.get(key) for key in elsewhere}
    again = import_bundle(elsewhere, path)
    assert (again.count, again.known) == (0, 600)


def test_the_manifest_says_what_follows(lines):
    """Format, version, count, checksum and length over the lines, sorted by key."""
    head, *rest = (json.loads(line) for line in lines)
    text = "".join(line + "\n" for line in lines[1:]).encode()
    assert head["format"] == "spex-api bundle"
    assert head["version"] == 1
    assert head["count"] == 3
    assert head["sha256"] == hashlib.sha256(text).hexdigest()
    assert head["length"] == len(text)
    assert head["models"] == {"m": 3}
    assert head["created"]
    assert head["spex"]
    assert [line["key"] for line in rest] == sorted(line["key"] for line in rest)


def test_only_its_owner_may_read_it(store, tmp_path):
    """Prompts are in it."""
    keep(store, 0)
    export_bundle(store, tmp_path / "bundle.jsonl")
    assert stat.S_IMODE((tmp_path / "bundle.jsonl").stat().st_mode) == 0o600


def test_a_selection_goes_out_alone(store, tmp_path):
    """The keys of one run, or one model."""
    keys = [keep(store, number) for number in range(5)]
    run = Selection(keys=frozenset(keys[:2]))
    assert export_bundle(store, tmp_path / "run.jsonl", selection=run).count == 2
    none = Selection(model="another")
    assert export_bundle(store, tmp_path / "none.jsonl", selection=none).count == 0


def test_what_has_no_prompt_stays(store, elsewhere, tmp_path):
    """It could not be proved elsewhere; the export says how many it left out."""
    keep(store, 0)
    keep(store, 1, with_prompt=False)
    done = export_bundle(store, tmp_path / "bundle.jsonl")
    assert (done.count, done.left_out) == (1, 1)
    assert "1 answer left out: they were kept without their prompts" in str(done)
    assert import_bundle(elsewhere, tmp_path / "bundle.jsonl").count == 1


def test_a_conflict_is_told_and_changes_nothing(store, elsewhere, tmp_path):
    """Where both have an answer and they differ, the one that is here stays."""
    key = keep(store, 0, raw='{"theirs": 1}')
    keep(store, 1)
    keep(elsewhere, 0, raw='{"ours": 1}')
    before = elsewhere.get(key)
    export_bundle(store, tmp_path / "bundle.jsonl")
    taken = import_bundle(elsewhere, tmp_path / "bundle.jsonl")
    assert (taken.count, taken.conflicts) == (1, (key,))
    assert elsewhere.get(key) == before
    assert f"In conflict with what is here, which stays: 1 answer ({key[:12]})." in str(taken)


def test_a_record_of_the_first_format_goes_out_too(store, elsewhere, tmp_path):
    """What users have had on disk is not left behind."""
    fingerprint = Fingerprint("e", "m", {"text": "old"})
    old = {"fingerprint": fingerprint.ladder(), "raw": "{}", "at": "2026-11-24T10:00:00+00:00"}
    store.put(fingerprint.digest(), json.dumps(old).encode())
    export_bundle(store, tmp_path / "bundle.jsonl")
    assert import_bundle(elsewhere, tmp_path / "bundle.jsonl").count == 1
    assert fingerprint.digest() in elsewhere


def test_a_damaged_record_stops_the_export(store, tmp_path):
    """No bundle is left behind, and what stood there before stays."""
    path = tmp_path / "bundle.jsonl"
    path.write_text("before")
    moved = store.get(keep(store, 0))
    store.put("f" * 64, moved)
    with pytest.raises(CacheCorrupt, match="not exported"):
        export_bundle(store, path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["bundle.jsonl"]


def _cut(text: str) -> str:
    return text[: len(text) // 2]


def _other_answer(line: str) -> str:
    return line.replace('"raw":"{}"', '"raw":"[]"')


def _other_question(line: str) -> str:
    return line.replace("question", "demand")


def _newer(line: str) -> str:
    return line.replace('"record":2', '"record":4')


def _no_prompt(line: str) -> str:
    told = json.loads(line)
    told["record"]["fingerprint"]["body_sha256"] = "0" * 64
    del told["record"]["fingerprint"]["body"]
    return json.dumps(told)


def _header(line: str) -> str:
    told = json.loads(line)
    told["record"]["headers"] = {"authorization": "x"}
    return json.dumps(told)


@pytest.mark.parametrize("repaired", [False, True], ids=["as it is", "manifest forged"])
@pytest.mark.parametrize(
    ("spoil", "forged", "why"),
    [
        (lambda own: [own[0], own[1], own[2]], False, "holds 2 records of 3"),
        (lambda own: [own[0], own[2], own[1], own[3]], True, "out of order"),
        (lambda own: [own[0], own[1], own[1], own[2]], True, "out of order, or there twice"),
        (lambda own: [*own[:3], _other_answer(own[3])], False, "checksum"),
        (lambda own: [*own[:3], _other_question(own[3])], True, "not what its key says"),
        (lambda own: [*own[:3], _no_prompt(own[3])], True, "proves nothing"),
        (lambda own: [*own[:3], _header(own[3])], True, "no record"),
        (lambda own: [*own[:3], _cut(own[3])], True, "no record"),
        (lambda own: [*own[:3], _newer(own[3])], True, "later version"),
        (lambda own: [*own[:3], "[" * 100_000], True, "no record"),
        (lambda own: [*own[:3], ""], True, "no record"),
    ],
)
def test_what_was_touched_is_refused_whole(
    lines, elsewhere, tmp_path, spoil, forged, why, repaired
):
    """A line that is missing, moved, changed or cut refuses all; a forged manifest hides none."""
    if repaired and not forged:
        return
    path = bundle(tmp_path / "spoilt.jsonl", spoil(lines), repaired=repaired)
    with pytest.raises(BundleRefused, match=why):
        import_bundle(elsewhere, path)
    assert len(elsewhere) == 0


@pytest.mark.parametrize(
    "change",
    [{"format": "another"}, {"version": 2}, {"count": -1}, {"sha256": "no"}, {"run": "rm"}],
    ids=str,
)
def test_another_manifest_is_refused(lines, elsewhere, tmp_path, change):
    """A format, a version or a field that is not known."""
    head = json.dumps({**json.loads(lines[0]), **change})
    path = bundle(tmp_path / "other.jsonl", [head, *lines[1:]])
    with pytest.raises(BundleRefused, match="no manifest"):
        import_bundle(elsewhere, path)


@pytest.mark.parametrize("content", [b"", b"\n", b"SQLite format 3\x00" * 9, b"\x80\x04N.", b"{}"])
def test_what_is_no_bundle_is_refused(elsewhere, tmp_path, content):
    """An empty file, a database or a pickle under a bundle's name is text that is no manifest."""
    path = tmp_path / "no.jsonl"
    path.write_bytes(content)
    with pytest.raises(BundleRefused):
        import_bundle(elsewhere, path)
    assert path.read_bytes() == content


def test_a_bundle_that_breaks_off_is_refused(lines, elsewhere, tmp_path):
    """Without the last line's end, or in the middle of what is packed."""
    whole = bundle(tmp_path / "whole.jsonl", lines)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(BundleRefused, match="breaks off in line 4"):
        import_bundle(elsewhere, cut)
    packed = zstandard.compress(whole.read_bytes())
    for left in (0, 5, len(packed) // 2, len(packed) - 1):
        (tmp_path / "cut.jsonl.zst").write_bytes(packed[:left])
        with pytest.raises(BundleRefused):
            import_bundle(elsewhere, tmp_path / "cut.jsonl.zst")
    (tmp_path / "cut.jsonl.zst").write_bytes(packed + b"and more")
    with pytest.raises(BundleRefused, match="cannot be unpacked"):
        import_bundle(elsewhere, tmp_path / "cut.jsonl.zst")
    assert len(elsewhere) == 0


@pytest.mark.parametrize("caps", [Caps(line=100), Caps(packed=400)])
def test_what_is_beyond_a_cap_is_refused(lines, elsewhere, tmp_path, caps):
    """A line, or a file, that is too long."""
    path = bundle(tmp_path / "long.jsonl", lines)
    with pytest.raises(BundleRefused, match=r"longer than|larger than"):
        import_bundle(elsewhere, path, caps=caps)
    assert len(elsewhere) == 0


@pytest.mark.parametrize("caps", [Caps(ratio=10), Caps(unpacked=2**20)], ids=["ratio", "unpacked"])
def test_a_bomb_is_not_unpacked_to_its_end(tmp_path, caps, monkeypatch):
    """What unpacks to far more than it is, or to more than any bundle, ends at the cap."""
    monkeypatch.setattr(bundle_file, "_GRACE", 2**16)
    path = tmp_path / "bomb.jsonl.zst"
    path.write_bytes(zstandard.compress(b"0\n" * 2**23))
    seen = 0

    def read_all():
        nonlocal seen
        with (
            path.open("rb") as file,
            bundle_file.unpacking(file, path, caps, packed=True) as lines,
        ):
            while chunk := lines.read(2**14):
                seen += len(chunk)

    with pytest.raises(BundleRefused, match="larger than"):
        read_all()
    assert 0 < seen <= 2**20


def test_one_endless_line_takes_no_memory(lines, elsewhere, tmp_path):
    """Megabytes of one line are refused at the cap of a line."""
    path = tmp_path / "endless.jsonl.zst"
    packer = zstandard.ZstdCompressor(level=1)
    with path.open("wb") as file, packer.stream_writer(file) as out:
        out.write(lines[0].encode() + b"\n")
        for _ in range(64):
            out.write(bytes(2**20))
    with pytest.raises(BundleRefused, match="longer than"):
        import_bundle(elsewhere, path, caps=Caps(line=2**20, ratio=10**6))


def test_a_window_beyond_reason_is_refused(lines, elsewhere, tmp_path):
    """A frame that asks for gigabytes of memory to be read is not read."""
    settings = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    path = tmp_path / "window.jsonl.zst"
    packer = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    path.write_bytes(packer.compress(lines[0].encode() + b"\n") + packer.flush())
    with pytest.raises(BundleRefused, match="cannot be unpacked"):
        import_bundle(elsewhere, path)


def test_a_bundle_needs_its_name(store, tmp_path):
    """The suffix says whether it is packed; another is wrong use, and nothing is written."""
    for work in (export_bundle, import_bundle):
        with pytest.raises(UsageError, match="no bundle's name"):
            work(store, tmp_path / "cache.db")
    with pytest.raises(UsageError, match="is no file"):
        import_bundle(store, tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="cannot be written"):
        export_bundle(store, tmp_path / "no folder" / "bundle.jsonl")


def test_packed_bundles_need_an_extra(store, tmp_path, monkeypatch):
    """Without zstandard the sentence names the extra, and no file is left behind."""
    real = builtins.__import__

    def without(name, *rest):
        if name == "zstandard":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"spex-api\[zst\]"):
        export_bundle(store, tmp_path / "bundle.jsonl.zst")
    assert not [file for file in tmp_path.iterdir() if file.is_file()]


def test_caps_are_at_least_one():
    """A cap of nothing is wrong use."""
    with pytest.raises(UsageError):
        Caps(line=0)
