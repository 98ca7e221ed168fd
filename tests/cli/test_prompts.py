"""Conversations, documents and pictures in a spec: explained, and rebuilt without their files."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest

from spex_api.cli.app import run

CHAT = [
    {"role": "system", "content": "Positive or negative?"},
    {"role": "user", "content": "bad film"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    ]},
    {"role": "tool", "tool_call_id": "c1", "content": "one star"},
    {"role": "assistant", "content": "negative"},
    {"role": "user", "content": "never bad and so good, yet slow"},
]  # fmt: skip
REST = """
[score]
labels = ["positive", "negative"]
[budget]
requests = 80
[decode]
decoder = "lasso"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "again").mkdir()
    monkeypatch.chdir(work)
    return work


def spec(prompt: str, rest: str = REST) -> None:
    Path("spec.toml").write_text(f'model = "openai:toy"\n[prompt]\n{prompt}\n{rest}')


def explained_and_replayed(file: str) -> dict:
    """The explanation, once it is seen that it rebuilds itself without the spec and its file."""
    assert run(["explain", "spec.toml"]) == 0
    written = Path("explanation.json").read_bytes()
    Path(file).unlink()
    Path("spec.toml").unlink()
    assert run(["replay", "explanation.json", "--out", "again"]) == 0
    assert Path("again/explanation.json").read_bytes() == written
    assert Path("again/report.html").read_bytes() == Path("report.html").read_bytes()
    return json.loads(written)


def test_a_conversation(folder, chat_server, capsys):
    """The body of a request is explained as it was sent, and stands in the explanation."""
    body = {"model": "gpt-x", "temperature": 0.2, "messages": CHAT}
    Path("request.json").write_text(json.dumps(body))
    spec('messages_file = "request.json"\nsplit = "words"')
    told = explained_and_replayed("request.json")
    assert told["spec"]["prompt"]["messages"] == CHAT
    assert told["spec"]["prompt"]["messages_file"] is None
    assert chat_server.bodies[0]["messages"] == CHAT
    assert "never + bad" in capsys.readouterr().out


def test_messages_of_a_conversation(folder, chat_server, capsys):
    """Split into messages, every request is a conversation that was begun by its question."""
    turns = [
        {"role": role, "content": f"{word} {at}"}
        for at, (role, word) in enumerate([("user", "good so good"), ("assistant", "bad")] * 4)
    ]
    Path("request.json").write_text(json.dumps([*turns, CHAT[-1]]))
    answer = chat_server.reply

    def all_read(body: dict) -> dict:
        return answer({"messages": [{"content": " ".join(m["content"] for m in body["messages"])}]})

    chat_server.reply = all_read
    spec('messages_file = "request.json"')
    told = explained_and_replayed("request.json")
    assert len(told["prompt"]["turns"]) == 9
    sent = [body["messages"] for body in chat_server.bodies]
    assert all(each[-1]["content"].endswith(CHAT[-1]["content"]) for each in sent)
    assert len({len(each) for each in sent}) > 2


def test_documents(folder, chat_server, capsys):
    """Each is a feature with its title; the file is not needed again."""
    words = ["good", "plain", "never", "good so", "slow", "old", "dull"]
    lines = [json.dumps({"text": f"{word} film", "title": word}) for word in words]
    Path("found.jsonl").write_text("\n".join(lines))
    spec('documents_file = "found.jsonl"\nquestion = "Positive or negative?"')
    told = explained_and_replayed("found.jsonl")
    assert told["spec"]["prompt"]["titles"] == words
    assert chat_server.bodies[0]["messages"][0]["content"].startswith("[1] good\ngood film\n\n[2]")
    assert "[1] good" in " ".join(capsys.readouterr().out.split())


def test_a_picture(folder, chat_server, capsys):
    """Its patches are masked; it is in the explanation, so that a replay needs no file."""
    pillow = pytest.importorskip("PIL.Image")
    picture = pillow.new("RGB", (12, 12))
    for at in range(144):
        picture.putpixel((at % 12, at // 12), (at, 255 - at, at * 7 % 256))
    out = io.BytesIO()
    picture.save(out, format="PNG")
    Path("cat.png").write_bytes(out.getvalue())

    def light(body: dict) -> dict:
        (block,) = [b for b in body["messages"][-1]["content"] if b["type"] == "image_url"]
        data = base64.b64decode(block["image_url"]["url"].split(",", 1)[1])
        seen = pillow.open(io.BytesIO(data)).convert("RGB")
        grey = sum(seen.getpixel(at) == (128, 128, 128) for at in ((1, 1), (5, 5), (9, 1)))
        return answer({"messages": [{"content": "bad " * grey + "good"}]})

    answer = chat_server.reply
    chat_server.reply = light
    spec('image = "cat.png"\nquestion = "Positive or negative?"\ngrid = [3, 3]\nmask = "grey"')
    told = explained_and_replayed("cat.png")
    assert told["spec"]["prompt"]["image_data"] == base64.b64encode(out.getvalue()).decode()
    assert told["faithfulness"]["value"] > 0.9


def test_a_flag_may_split_a_spec_otherwise(folder, chat_server, capsys):
    """`--split` and `--mask` go before what the file says."""
    Path("request.json").write_text(json.dumps(CHAT))
    spec('messages_file = "request.json"')
    assert run(["explain", "spec.toml", "--split", "words", "--mask", "token"]) == 0
    masked = [body["messages"][-1]["content"].split() for body in chat_server.bodies]
    assert {len(words) for words in masked} == {7}
    assert "[MASK]" in masked[10]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "request.json (messages_file of spec.toml) holds no conversation"),
        ('[{"role": "king", "content": "x"}]', "Message 0"),
        ('{"messages": [{"role": "system", "content": "x"}], "system": "y"}', "messages_format"),
    ],
)
def test_what_is_no_conversation_is_one_line(folder, chat_server, capsys, content, message):
    """Status 2, and nothing was sent."""
    Path("request.json").write_text(content)
    spec('messages_file = "request.json"')
    assert run(["explain", "spec.toml"]) == 2
    assert message in capsys.readouterr().err
    assert chat_server.bodies == []
