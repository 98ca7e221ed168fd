"""What a request says is shown in any dialect, and nothing is refused."""

from __future__ import annotations

import pytest

from spex_api.calls.glimpse import question_of, turns_of

CALL = {"id": "c", "function": {"name": "look", "arguments": '{"at": 1}'}}
BODIES = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Days?"}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "15"},
        ]
    },
    {
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "Days?"}, {"type": "input_image"}],
            },
            {"type": "function_call", "name": "look", "arguments": '{"at": 1}'},
            {"type": "function_call_output", "output": "15"},
        ],
    },
    {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Days?"}, {"type": "image"}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "name": "look", "input": {"at": 1}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "content": "15"}]},
        ],
    },
]


@pytest.mark.parametrize("body", BODIES, ids=["chat", "responses", "messages"])
def test_turns_read_the_same_in_each_dialect(body):
    """Texts, pictures, calls of tools and their results; the question is the user's."""
    assert list(turns_of(body)) == [
        ("system", "Be brief."),
        ("user", "Days? [picture]"),
        ("assistant", 'look({"at": 1})'),
        ("tool", "15"),
    ]
    assert question_of(body) == "Days? [picture]"


@pytest.mark.parametrize(
    ("body", "question"),
    [
        ({}, ""),
        ({"input": "Hi"}, "Hi"),
        ({"messages": "Hi"}, "Hi"),
        ({"messages": [3, {"content": {"a": 1}}]}, '{"a": 1}'),
        ({"messages": [{"role": "user", "content": [{"type": "new"}, "x", 4]}]}, "[new] x 4"),
        ({"input": [{"type": "item_reference", "id": "i"}]}, ""),
    ],
)
def test_what_is_not_known_is_shown_as_it_stands(body, question):
    """Foreign bodies are looked at, never refused."""
    assert question_of(body) == question
