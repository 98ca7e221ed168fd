"""Patches of pictures: painted alike each time, the original where all are kept."""

from __future__ import annotations

import base64
import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from spex_api.completions import Image
from spex_api.errors import MissingExtra, PromptError
from spex_api.prompts import Prompt
from tests.prompts.rules import anthropic_flaws, openai_flaws

pillow = pytest.importorskip("PIL.Image")

STORED = TypeAdapter(Prompt)


def noise(kind: str = "PNG", size: tuple[int, int] = (24, 16), mode: str = "RGB") -> bytes:
    """A picture in which no two patches are alike."""
    picture = pillow.new(mode, size)
    bands = len(picture.getbands())
    for x in range(size[0]):
        for y in range(size[1]):
            colour = ((x * 37 + y * 11) % 256, (x * y * 7) % 256, (y * 53) % 256, 200)
            picture.putpixel((x, y), colour[:bands] if bands > 1 else colour[0])
    out = io.BytesIO()
    picture.save(out, format=kind)
    return out.getvalue()


def pixels(image: Image):
    return pillow.open(io.BytesIO(base64.b64decode(image.data))).convert("RGB")


def pictured(prompt: Prompt, mask: list[int]) -> Image:
    (image,) = [b for b in prompt.render(mask)[-1].blocks if isinstance(b, Image)]
    return image


def test_all_kept_is_the_original_bytes():
    """With nothing masked the very bytes are sent, with their own type."""
    data = noise("JPEG")
    prompt = Prompt.from_image("What is it?", data, grid=(2, 3))
    assert prompt.features == tuple(
        f"patch {row},{column}" for row in (1, 2) for column in (1, 2, 3)
    )
    image = pictured(prompt, [1] * 6)
    assert base64.b64decode(image.data) == data
    assert image.media_type == "image/jpeg"
    assert prompt.render([1] * 6)[-1].content == "What is it?"


@pytest.mark.parametrize("paint", ["blur", "grey"])
def test_a_mask_paints_its_patches_and_no_others(paint):
    """Outside of the masked patch every pixel stays; inside of it the picture is another."""
    prompt = Prompt.from_image("?", noise(), grid=(2, 3), mask=paint)
    masked, whole = pixels(pictured(prompt, [1, 1, 1, 1, 0, 1])), pixels(Image(_text(noise())))
    box = (8, 8, 16, 16)
    inside = [(x, y) for x in range(8, 16) for y in range(8, 16)]
    assert any(masked.getpixel(at) != whole.getpixel(at) for at in inside)
    if paint == "grey":
        assert {masked.getpixel(at) for at in inside} == {(128, 128, 128)}
    for picture in (masked, whole):
        picture.paste((0, 0, 0), box)
    assert masked.tobytes() == whole.tobytes()


def test_a_blurred_patch_tells_nothing_of_its_neighbours():
    """Two pictures that differ outside of a patch have it blurred alike."""
    one, other = pixels(Image(_text(noise()))), pixels(Image(_text(noise())))
    other.paste((255, 0, 0), (0, 0, 8, 16))
    crops = []
    for picture in (one, other):
        out = io.BytesIO()
        picture.save(out, format="PNG")
        prompt = Prompt.from_image("?", out.getvalue(), grid=(2, 3))
        crops.append(pixels(pictured(prompt, [1, 0, 1, 1, 1, 1])).crop((8, 0, 16, 8)).tobytes())
    assert crops[0] == crops[1]


@settings(max_examples=30)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["PNG", "JPEG", "GIF", "WEBP"]),
    st.sampled_from(["blur", "grey"]),
    st.data(),
)
def test_any_mask_is_a_question_with_a_picture(grid, kind, paint, data):
    """It is the same each time, of the same size, and both endpoints take it."""
    prompt = Prompt.from_image("Is {image} it?", noise(kind), grid=grid, mask=paint)
    size = grid[0] * grid[1]
    mask = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    asked = prompt.render(mask)
    assert asked == prompt.render(mask)
    assert openai_flaws(asked) == anthropic_flaws(asked) == []
    assert pixels(pictured(prompt, mask)).size == (24, 16)
    assert [type(block) for block in asked[0].blocks] == [str, Image, str]
    back = STORED.validate_json(STORED.dump_json(prompt))
    assert back == prompt
    assert back.render(mask) == asked


def test_two_masks_read_the_same_only_where_they_are_the_same():
    """What tells masks apart paints nothing, and depends on the picture."""
    prompt = Prompt.from_image("?", noise(), grid=(2, 2))
    other = Prompt.from_image("?", noise(size=(12, 12)), grid=(2, 2))
    readings = {prompt.reading([at & 1, at & 2, at & 4, at & 8]) for at in range(16)}
    assert len(readings) == 16
    assert other.reading([0, 0, 0, 0]) not in readings


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_all_modes_are_painted(mode):
    """Grey, transparent and paletted ones among them."""
    kind = "TIFF" if mode == "CMYK" else "PNG"
    source = noise(mode="RGB" if mode in ("P", "1", "CMYK") else mode)
    out = io.BytesIO()
    pillow.open(io.BytesIO(source)).convert(mode).save(out, format=kind)
    for paint in ("blur", "grey"):
        prompt = Prompt.from_image("?", out.getvalue(), grid=(1, 2), mask=paint)
        assert pixels(pictured(prompt, [0, 1])).size == (24, 16)


def test_a_file_is_read(tmp_path):
    """A path is as good as bytes."""
    path = tmp_path / "p.png"
    path.write_bytes(noise())
    assert Prompt.from_image("?", path) == Prompt.from_image("?", noise())
    assert Prompt.from_image("?", str(path)) == Prompt.from_image("?", noise())


def test_braces_in_a_question_without_a_place_are_text():
    """A question may hold JSON; the picture then goes first."""
    prompt = Prompt.from_image('Answer {"a": 1}', noise(), grid=(1, 2))
    assert [type(block) for block in prompt.render([1, 1])[0].blocks] == [Image, str]
    assert prompt.render([1, 1])[0].content == 'Answer {"a": 1}'


def test_pictures_of_a_conversation_are_cut():
    """`split="patches"` cuts those of the chosen messages; the rest is as it was."""
    url = f"data:image/png;base64,{_text(noise())}"
    pictured_turn = [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "What?"},
    ]
    messages = [{"role": "user", "content": pictured_turn}]
    prompt = Prompt.from_openai(messages, split="patches", grid=(2, 2), mask="grey")
    assert prompt.num_features == 4
    blocks = prompt.render([1, 1, 1, 1])[0].blocks
    assert blocks == ("See:", Image(_text(noise())), "What?")
    assert pixels(prompt.render([0, 0, 0, 0])[0].blocks[1]).getpixel((3, 3)) == (128, 128, 128)


def test_a_picture_in_a_message_goes_with_it():
    """Where messages are features the picture is part of one, and nothing is painted."""
    url = "https://pictures.example/cat.png"
    messages = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "And now?"},
    ]
    prompt = Prompt.from_openai(messages)
    assert prompt.render([1, 1])[0].blocks == (Image(url=url),)
    assert prompt.render([0, 1])[0].content == "…"
    assert Prompt.from_openai(messages, mask="token").render([0, 1])[0].blocks == ("[MASK]",)
    with pytest.raises(PromptError, match="address"):
        Prompt.from_openai(messages, split="patches")


@pytest.mark.parametrize(
    ("image", "options", "said"),
    [
        (b"no picture", {}, "cannot be read"),
        (b"", {}, "cannot be read"),
        (noise()[:60], {}, "cannot be read"),
        ("no/such/file.png", {}, "no/such/file.png"),
        (noise(), {"grid": (0, 4)}, "no patches"),
        (noise(), {"grid": (17, 1)}, "coarser"),
        (noise(), {"mask": "drop"}, "blur"),
        (noise(), {"text": "{image} {image}"}, "twice"),
        (noise(), {"text": None}, "no text"),
        (None, {}, "NoneType"),
        (noise(), {"grid": 4}, "no grid"),
        (noise(), {"grid": (2,)}, "no grid"),
        (noise(), {"grid": ("a", "b")}, "no grid"),
    ],
)
def test_misuse_is_named(image, options, said):
    """Each misuse gets a sentence that names what is wrong."""
    with pytest.raises(PromptError, match=said):
        Prompt.from_image(options.pop("text", "?"), image, **options)


def test_without_pillow_it_says_so(monkeypatch):
    """Said when the prompt is built, before anything is paid for; a stored one can be read."""
    stored = STORED.dump_json(Prompt.from_image("?", noise()))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match="pillow"):
        Prompt.from_image("?", noise())
    assert STORED.validate_json(stored).num_features == 16


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
