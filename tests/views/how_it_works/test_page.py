"""The page How it works without a browser: its parts, every control, and what a damaged checkpoint does to it."""

import re
import shutil
from dataclasses import replace

import pytest

from captioner.config import VARIANTS
from captioner.data.samples import SAMPLES
from captioner.figures.limits import LIMITS
from captioner.model.stage_folders import picture_size
from captioner.views import photographs
from captioner.views.launch_options import FOLDER_VARIABLE
from support.app_driver import open_view, refusals, shown

pytestmark = pytest.mark.slow
HEADERS = [
    "From a photograph to the next word",
    "One step, number by number",
    "A caption is the result of a search",
    "What differs between the decoders, and what does not",
    "What they cannot do",
]


@pytest.fixture(autouse=True)
def folder(tiny_run, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))


def walk(page) -> list[str]:
    return re.findall(r'<li class="(?:written|to-come)".*?>(.*?)</li>', shown(page))


def marked(page) -> int:
    places = re.findall(r'<li class="(?:written|to-come)"( aria-current="step")?>', shown(page))
    return 1 + next(place for place, now in enumerate(places) if now)


def picture(page) -> str:
    return re.search(r'<div class="seen"><img src="data:image/jpeg;base64,(.*?)"', shown(page))[1]


def choose(page, key: str, title: str):
    return page.segmented_control(key=key).set_value(title).run()


def test_the_page_has_its_parts_in_their_order():
    page = open_view("how_it_works").run()
    assert not refusals(page) and page.title[0].value == "How it works"
    assert [header.value for header in page.header] == HEADERS
    drawings = [element.value for element in page.markdown if "<svg" in element.value]
    assert len(drawings) == 1 and drawings[0].count('role="img"') == 2
    assert "Layers that all decoders share" in shown(page) and "the same:" in shown(page)
    assert all(limit.split(",")[0] in shown(page) for limit in LIMITS[1:3])
    assert shown(page).count('<section class="station">') == 6


def test_each_photograph_and_each_decoder_can_be_chosen():
    page = open_view("how_it_works").run()
    pictures = {picture(page)}
    for sample in SAMPLES[1:]:
        pictures.add(picture(choose(page, "photo", sample.title)))
        assert walk(page) and not refusals(page)
    assert len(pictures) == len(SAMPLES)
    for variant in VARIANTS.values():
        choose(page, "decoder", variant.title)
        assert f"({variant.title}: {variant.explanation})" in shown(page)
        assert f"color-mix(in srgb, {variant.colour}" in shown(page)


def test_the_step_can_be_chosen_and_goes_on_from_the_word_before():
    page = open_view("how_it_works").run()
    words = walk(page)
    for step in (1, len(words) // 2, len(words)):
        page.slider(key="step").set_value(step).run()
        assert marked(page) == step and walk(page) == words
        before = "&lt;start&gt;" if step == 1 else words[step - 2]
        assert f"The word before is “{before}”" in shown(page)


def test_the_address_says_what_is_shown():
    page = open_view("how_it_works")
    page.query_params["photo"], page.query_params["decoder"], page.query_params["step"] = "Cat", "FastText", "3"
    page.run()
    assert page.segmented_control(key="photo").value == "Cat" and page.segmented_control(key="decoder").value == "FastText"
    assert marked(page) == 3 and not refusals(page)


def test_an_address_that_makes_no_sense_or_a_refused_file_on_the_first_page_leaves_the_samples():
    page = open_view("how_it_works")
    page.query_params["photo"], page.query_params["decoder"], page.query_params["step"] = "<b>", "GPT", "900"
    page.session_state[photographs._OPENED] = photographs.Refused("no.jpg", "It is no picture.")
    page.run()
    assert page.segmented_control(key="photo").value == SAMPLES[0].title and walk(page) and not refusals(page)


def test_the_search_is_told_with_the_settings_of_the_folder(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "chosen")
    (folder / "search.json").write_text('{"beam": 7, "length_preference": 0.3}')
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    told = next(element.value for element in open_view("how_it_works").run().markdown if "beam search" in element.value)
    assert "keeps the 7 likeliest" in told and "the end counted as one, to the power of 0.3 " in told
    (folder / "search.json").write_text("{}")
    page = open_view("how_it_works").run()
    assert len(refusals(page)) == 1 and walk(page)


def test_two_decoders_are_enough(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "two")
    shutil.rmtree(folder / "learned")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    page = open_view("how_it_works").run()
    assert not refusals(page) and page.segmented_control(key="decoder").options == ["Word2Vec", "FastText"]


def test_a_damaged_checkpoint_is_a_sentence_and_the_limits_stay(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "damaged")
    (folder / "word2vec" / "decoder.safetensors").write_bytes(b"no such thing")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    page = open_view("how_it_works").run()
    assert [found.startswith("The file decoder.safetensors of word2vec has changed") for found in refusals(page)] == [True]
    assert [header.value for header in page.header] == HEADERS[-1:]
    shutil.rmtree(folder)
    assert "There is no trained decoder" in refusals(page.run())[0]


def test_the_photograph_of_the_first_page_is_there_at_first(tiny_run):
    size = picture_size(tiny_run)
    cat = photographs.of_sample(SAMPLES[2], size)
    own = {"name": "mine.png", "description": "Your photograph mine.png.", "digest": "mine", "sample": None}
    mine = replace(cat, **own, pixels=255 - cat.pixels)
    seen = {}
    for photograph, title in ((cat, "Cat"), (mine, "Yours")):
        page = open_view("how_it_works")
        page.session_state[photographs._OPENED] = photograph
        page.run()
        assert page.segmented_control(key="photo").value == title and walk(page) and not refusals(page)
        seen[title] = picture(page)
    assert seen["Cat"] != seen["Yours"]
    assert picture(choose(page, "photo", "Cat")) == seen["Cat"]
