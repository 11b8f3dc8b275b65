"""The app without a browser: every page, what a visitor can do on it, and every refusal."""

import re
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from captioner.config import VARIANTS
from captioner.samples import SAMPLES
from captioner.views.resources import FOLDER_VARIABLE, checkpoints_folder, stamp
from pages import APP, PATIENCE, descriptions, refusals, sentences, shown


@pytest.fixture
def app(tiny_run, monkeypatch) -> AppTest:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))
    return AppTest.from_file(APP, default_timeout=PATIENCE)


def picture(kind: str = "JPEG", size: tuple[int, int] = (320, 240)) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(file, kind)
    return file.getvalue()


def upload(app: AppTest, name: str, data: bytes) -> AppTest:
    app.file_uploader[0].upload(name, data, "image/jpeg")
    return app.run()


def test_the_first_page_opens_with_a_sample_and_three_captions(app):
    app.run()
    assert len(sentences(app)) == len(VARIANTS) and all(sentences(app))
    assert app.title[0].value == "Triptych"
    assert [button.label for button in app.button] == [sample.title for sample in SAMPLES]


def test_each_caption_says_how_sure_it_was_and_the_time_it_took(app):
    app.run()
    measures = [element for element in app.markdown if " · " in element.value]
    assert len(measures) == len(VARIANTS)
    for element in measures:
        assert re.fullmatch(r"(1 in [\d.,]+( \w+)?|almost certain) · [\d.]+ (ms|s)", element.value)
        assert "Log-probability -" in element.help


def test_every_word_stands_in_the_strip(app):
    app.run()
    strips = re.findall(r'<div class="strip">.*?</ol></div>', shown(app))
    for strip, sentence in zip(strips, sentences(app), strict=True):
        words = [word for word in re.findall(r"<b>(.*?)</b>", strip) if word != "<i>end</i>"]
        assert " ".join(words) == sentence


def test_a_sample_button_changes_the_photograph(app):
    app.run()
    assert descriptions(app)[0] == SAMPLES[0].description
    app.button[2].click().run()
    assert descriptions(app)[0] == SAMPLES[2].description
    assert len(sentences(app)) == len(VARIANTS)


def test_an_upload_is_captioned_and_a_sample_takes_its_place(app):
    upload(app.run(), "mine.jpg", picture())
    assert len(sentences(app)) == len(VARIANTS)
    assert descriptions(app)[0] == "Your photograph mine.jpg."
    app.button[0].click().run()
    assert descriptions(app)[0] == SAMPLES[0].description and app.file_uploader[0].value is None


def test_a_text_file_named_jpg_is_refused_and_the_page_stays_usable(app):
    upload(app.run(), "notes.jpg", b"not a picture at all")
    assert refusals(app) == ["'notes.jpg' is not a JPEG, PNG, WebP, GIF, BMP or AVIF picture; save it as one of these."]
    assert not sentences(app)
    app.button[0].click().run()
    assert not refusals(app) and len(sentences(app)) == len(VARIANTS)


def test_a_files_name_is_shown_as_text(app):
    name = "![x](http:..evil)<b>.jpg"
    upload(app.run(), name, b"no picture")
    assert name in refusals(app)[0] and "<b>.jpg" not in shown(app)
    assert not any("evil" in element.value for element in app.markdown)


def test_the_beam_is_what_the_slider_says(app):
    app.run()
    assert len([expander for expander in app.expander if "more caption" in expander.label]) == len(VARIANTS)
    app.slider(key="beam").set_value(1).run()
    assert not [expander for expander in app.expander if "more caption" in expander.label]
    app.slider(key="beam").set_value(5).run()
    assert {expander.label for expander in app.expander} == {"4 more captions"}


def test_the_settings_start_as_they_were_chosen_for_these_decoders(app, tiny_run, tmp_path, monkeypatch):
    from captioner.evaluation import SEARCH

    folder = shutil.copytree(tiny_run, tmp_path / "chosen")
    (folder / SEARCH).write_text('{"beam": 2, "length_preference": 0.9}')
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    app.run()
    assert app.slider(key="beam").value == 2 and app.slider(key="length").value == 0.9


def test_without_decoders_the_page_says_what_to_do(app, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    app.run()
    assert "no trained decoder" in refusals(app)[0] and "python -m captioner train" in refusals(app)[0]
    assert descriptions(app)[0] == SAMPLES[0].description and app.file_uploader


def test_an_altered_decoder_is_a_sentence(app, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "altered")
    (folder / "learned" / "decoder.safetensors").write_bytes(b"altered")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert "not the one that was saved" in refusals(app.run())[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--checkpoints", "mine"], Path("mine")),
        ([], APP.parent / "checkpoints"),
        (["--checkpoints"], APP.parent / "checkpoints"),
    ],
)
def test_the_folder_is_named_after_two_dashes(monkeypatch, arguments, expected):
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr("sys.argv", ["app.py", *arguments])
    assert checkpoints_folder() == expected


def test_the_stamp_changes_with_the_decoders(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "copy")
    before = stamp(folder)
    assert before == stamp(folder)
    (folder / "learned" / "manifest.json").write_text("{}")
    assert stamp(folder) != before
