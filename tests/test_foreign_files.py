"""Files that a spec names: documents in their forms, and the bodies of requests."""

from __future__ import annotations

import json

import pytest

from spex_api.errors import SpecError
from spex_api.foreign_files import read_conversation, read_documents

USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("name", "content", "texts", "titles"),
    [
        ("d.txt", "One é.\n\n  \nTwo.\r\n", ["One é.", "Two."], None),
        (
            "d.json",
            '["One", {"text": "Two\\n2", "title": "T", "score": 1}]',
            ["One", "Two\n2"],
            "T",
        ),
        ("d.json", "[]", [], None),
        ("d.jsonl", '"One"\n\n{"content": "Two"}\n', ["One", "Two"], None),
        ("d.JSONL", '{"page_content": "A\u2028B", "title": null}', ["A\u2028B"], None),
    ],
)
def test_documents_in_each_form(tmp_path, name, content, texts, titles):
    """A list, one a line as JSON, or one a line as it is; titles where there are any."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_documents(path, why="test") == (texts, titles and ["", titles])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.json", "{", "is no JSON"),
        ("d.json", '{"a": 1}', "no list of documents"),
        ("d.json", "[1]", "Document 1 of"),
        ("d.jsonl", '"a"\n{"txt": "b"}', "Document 2 of"),
        ("d.jsonl", '"a"\n"b', "Line 2 of"),
        ("d.json", '[{"text": "a", "title": 3}]', "Document 1 of"),
        ("d.json", "[" * 100_000, "is no JSON"),
    ],
)
def test_what_are_no_documents(tmp_path, name, content, message):
    """The line names the file, and the document or the line in it."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(SpecError, match=message) as caught:
        read_documents(path, why="test")
    assert str(path) in str(caught.value)


def test_a_body_as_it_was_sent(tmp_path):
    """What a model reads of it is kept; what says how the answer is drawn is not ours to say."""
    path = tmp_path / "body.json"
    body = {
        "model": "m",
        "max_tokens": 5,
        "temperature": 0.3,
        "stream": True,
        "tool_choice": "auto",
        "response_format": None,
        "system": "Be brief.",
        "messages": [USER],
        "tools": [],
    }
    path.write_text(json.dumps(body))
    assert read_conversation(path, why="test") == {"messages": [USER], "system": "Be brief."}
    path.write_text(json.dumps([USER]))
    assert read_conversation(path, why="test") == {"messages": [USER]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": "Hi"}, "holds no conversation"),
        ({"prompt": "Hi"}, "holds no conversation"),
        ({"messages": []}, "holds no conversation"),
        ([], "holds no conversation"),
        (3, "holds no conversation"),
        ({"messages": [USER], "response_format": {"type": "json_object"}}, "'response_format'"),
        ({"messages": [USER], "tool_choice": "required"}, "'tool_choice'"),
        ({"messages": [USER], "thinking": {"type": "enabled"}}, "'thinking'"),
    ],
)
def test_what_changes_the_answer_is_not_dropped_silently(tmp_path, body, message):
    """A body that asks for more than we send is refused, and the key is named."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps(body))
    with pytest.raises(SpecError, match=message):
        read_conversation(path, why="test")
