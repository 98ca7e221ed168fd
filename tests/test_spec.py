"""Spec files: what they say, and one clear line for what they get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spex_api.errors import SpecError
from spex_api.spec import read_spec

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
model = "openai:gpt-4.1-mini"
[prompt]
template = "Good? {text}"
text = "never fails"
[score]
labels = ["yes", "no"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text)
    return path


def test_a_short_spec_has_defaults(tmp_path):
    """What is left out has the default that the documentation names."""
    spec = read_spec(written(tmp_path, GOOD))
    assert spec.model == "openai:gpt-4.1-mini"
    assert (spec.prompt.split, spec.prompt.mask) == ("words", "drop")
    assert (spec.budget.requests, spec.decode.index, spec.decode.order) == (1000, "FBII", 2)


def test_how_much_and_near_what(tmp_path):
    """A target has its place beside the budget, and `keep` a table of its own."""
    text = GOOD + "[budget]\ntarget_faithfulness = 0.9\n[masks]\nkeep = 0.8\n"
    spec = read_spec(written(tmp_path, text))
    assert (spec.budget.target_faithfulness, spec.masks.keep) == (0.9, 0.8)
    plain = read_spec(written(tmp_path, GOOD))
    assert (plain.budget.target_faithfulness, plain.masks.keep) == (None, 0.5)


def test_overrides_go_before_the_file(tmp_path):
    """A flag of the command line wins; None is no flag."""
    spec = read_spec(
        written(tmp_path, GOOD),
        {"model": "local", "budget": {"requests": 50, "usd": None}, "prompt": {"split": None}},
    )
    assert (spec.model, spec.budget.requests, spec.prompt.split) == ("local", 50, "words")


def test_the_text_may_be_in_a_file_beside_the_spec(tmp_path):
    """`text_file` is found from the spec's folder, not from where the command runs."""
    (tmp_path / "review.txt").write_text("Ça marche.")
    spec = read_spec(
        written(tmp_path, GOOD.replace('text = "never fails"', 'text_file="review.txt"'))
    )
    assert spec.prompt.text == "Ça marche."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("labels", "lables"), "unknown key 'lables' in [score]. Did you mean 'labels'?"),
        (("[score]", "[scores]"), "unknown key 'scores' in the file. Did you mean 'score'?"),
        (("template", "xyzzy"), "unknown key 'xyzzy' in [prompt]. It has template, text"),
        (('template = "Good? {text}"', ""), "[prompt] lacks 'template'"),
        (('["yes", "no"]', '"yes"'), "'labels' in [score]"),
        (("[score]", '[score]\nkind = "magic"'), "'kind' in [score]"),
        (("[score]", "[budget]\nrequests = 0\n[score]"), "'requests' in [budget]"),
        (("[score]", "[budget]\ntarget_faithfulness = 90\n[score]"), "'target_faithfulness' in"),
        (("[score]", "[budget]\ntarget_faith = 0.9\n[score]"), "'target_faithfulness'?"),
        (("[score]", "[masks]\nkeep = 0.2\n[score]"), "'keep' in [masks]"),
        (("[score]", "[limits]\nrequests_per_min = 9\n[score]"), "'requests_per_minute'?"),
        (("[score]", "[prices]\ninput = -1\n[score]"), "'input' in [prices]"),
        (("[score]", "[prices]\nouput = 1\n[score]"), "Did you mean 'output'?"),
        (("model =", "model"), "is no TOML"),
        (('text = "never fails"', 'text_file = "nowhere.txt"'), "nowhere.txt"),
        (("text =", 'text_file = "a"\ntext ='), "both text and text_file"),
    ],
)
def test_each_fault_is_one_line_that_names_it(tmp_path, change, message):
    """The line names the file, the key, its table, and where it can the nearest known key."""
    path = written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    assert message in str(caught.value)
    assert "spec.toml" in str(caught.value)
    assert "\n" not in str(caught.value).replace(str(path), "")


def test_each_kind_of_prompt_has_its_own_split(tmp_path):
    """A text is split into words, documents, messages and patches are what they are."""
    for keys, split in (
        ('template = "{text}"\ntext = "a"', "words"),
        ('messages = [{role = "user", content = "a"}]', "messages"),
        ('documents = ["a"]\nquestion = "?"', "documents"),
        ('image_data = "aGk="\nquestion = "?"', "patches"),
        ('documents = ["a"]\nquestion = "?"\nsplit = "sentences"', "sentences"),
    ):
        assert read_spec(written(tmp_path, prompted(keys))).prompt.split == split


def prompted(keys: str) -> str:
    return f"[prompt]\n{keys}\n[score]\nlabels = ['yes', 'no']\n"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('text = "a"\ndocuments = ["a"]', "both documents and text"),
        ('messages = []\nmessages_file = "a"', "both messages and messages_file. Keep one."),
        ('messages_file = "a"\ntemplate = "{text}"', "messages_file, with which 'template'"),
        ('documents = ["a"]\nquestion = "?"\nof = "user"', "documents, with which 'of'"),
        ('documents = ["a"]', "documents and lacks 'question'"),
        ('image = "a.png"', "image and lacks 'question'"),
        ('image = "a.png"\nquestion = "?"\nsplit = "words"', 'split into "patches" only'),
        ('template = "{text}"\ntext = "a"\ngrid = [2, 2]', "has text, with which 'grid'"),
        ('template = "{text}"\ntext = "a"\nof = 1', "'of' in [prompt] is the name of a text"),
        ('template = "{text}"\ntext = "a"\nsystem = ["a"]', "'system' in [prompt] is text"),
        ('image = "a.png"\nquestion = "?"\ngrid = [0, 2]', "greater than 0"),
        ('image = "a.png"\nquestion = "?"\ngrid = [2]', "'grid' in [prompt]"),
        ('template = "{text}"\ntext = "a"\nmask = "blur"', "mask = 'blur', and no patches"),
        ('messages = []\nmessages_format = "cohere"', "'messages_format' in [prompt]"),
        ('question = "?"', "with which 'question' does not go"),
        ('image = "nowhere.png"\nquestion = "?"', "nowhere.png (image of"),
        ('documents_file = "nowhere.txt"\nquestion = "?"', "nowhere.txt (documents_file of"),
        ('messages_file = "nowhere.json"', "nowhere.json (messages_file of"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path, keys, message):
    """The line names the keys, and where it helps those that would go."""
    path = written(tmp_path, prompted(keys))
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    assert message in str(caught.value)
    assert "spec.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """No trace: the path and the reason."""
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "nowhere.toml")
