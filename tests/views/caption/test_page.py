"""The app without a browser: every page, what a visitor can do on it, and every refusal."""

import ast
import os
import re
import shutil
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from streamlit.runtime.caching.cache_data_api import clear_session_cache
from streamlit.testing.v1 import AppTest

from captioner.captioning.captioner import Captioner
from captioner.config import VARIANTS
from captioner.data.images import read, resize
from captioner.data.samples import SAMPLES
from captioner.scoring.familiarity import Familiarity
from captioner.storage import write_json
from captioner.views import photographs
from captioner.views.caption import page
from captioner.views.launch_options import FOLDER_VARIABLE
from captioner.views.resources import QUEUE, load_engine
from support.app_driver import APP, PATIENCE, descriptions, refusals, sentences, shown
from support.factories import write_curve


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
    assert [button.label for button in app.button][: len(SAMPLES)] == [sample.title for sample in SAMPLES]
    measures = [element for element in app.markdown if " · " in element.value]
    assert len(measures) == len(VARIANTS)
    for element in measures:
        assert re.fullmatch(r"(1 in [\d.,]+( \w+)?|almost certain) · [\d.]+ (ms|s)", element.value)
        assert "Log-probability -" in element.help
    assert app.get("vega_lite_chart")[0].proto.alt.endswith(f"is: {sentences(app)[0]}.")


def test_every_word_of_the_chosen_decoder_is_a_button_and_the_end_too(app):
    app.run()
    for title, sentence in zip((variant.title for variant in VARIANTS.values()), sentences(app), strict=True):
        app.button_group(key="why").set_value(title).run()
        labels = [option.content for option in app.button_group(key="at").proto.options]
        words = [label.split(" ")[0] for label in labels if not label.startswith("*end*")]
        assert " ".join(words) == sentence
        assert all(re.fullmatch(r"\S+ :small\[[<>]?\d+%\]\u2060*", label) for label in labels)


def test_a_chosen_word_shows_where_the_decoder_looked_and_what_nearly_won(app):
    app.run()
    app.button_group(key="at").set_value(1).run()
    assert app.query_params["at"] == "2"
    heat = next(text for text in descriptions(app) if "heat map" in text)
    assert re.search(r"(most at|alike:) the (top |middle |bottom )?(left|centre|right)( had the most,|:) \d+%.* be 11%", heat)
    assert re.search(r'class="heat-scale">.*all alike, 1\.2%</span><span>\d+\.\d%<', shown(app))
    first, second = [*sentences(app)[0].split(), "*end*"][:2]
    assert f"After “{first}” it wrote {second}, and might have written:" in [element.value for element in app.markdown]
    rows = re.findall(r'<div class="choice"><b>(.*?)</b>', shown(app))
    assert len(rows) == 5 and second not in rows and len([button for button in app.button if button.label == "go on"]) == 5
    assert shown(app).count('<p class="other">') == len(VARIANTS) - 1


def test_what_if_lets_every_decoder_go_on_from_the_same_words(app):
    app.run()
    app.button_group(key="at").set_value(1).run()
    before = app.button_group(key="at").proto.options[0].content.split(" ")[0]
    taken = re.findall(r'<div class="choice"><b>(.*?)</b>', shown(app))[1]
    [button for button in app.button if button.label == "go on"][1].click().run()
    given = re.findall(r'<p class="sentence small"><span>(.*?)</span>', shown(app))
    assert given == [before if taken == "<i>end</i>" else f"{before} {taken}"] * len(VARIANTS)
    next(button for button in app.button if button.label == "Close").click().run()
    assert "sentence small" not in shown(app)


def test_what_if_belongs_to_its_photograph(app):
    app.run()
    next(button for button in app.button if button.label == "go on").click().run()
    assert "sentence small" in shown(app)
    app.button[1].click().run()
    assert "sentence small" not in shown(app)


def test_your_own_words_are_judged_by_every_decoder(app):
    app.run()
    app.text_input(key="say").set_value("A red zebra, a circle!").run()
    assert re.search(r'<p class="verdict">(Learned|Word2Vec|FastText) finds it likeliest: 1 in .*Then ', shown(app))
    assert "No decoder knows zebra: they read it as" in shown(app)
    table = shown(app)[shown(app).index('<table class="plain">') :]
    assert re.findall(r'<th scope="row">(.*?)</th>', table)[:-1] == ["a", "red", "zebra", "a", "circle", "<i>end</i>"]
    assert table.count("<td>unknown</td>") == len(VARIANTS)
    assert shown(app).index("No decoder knows zebra") < shown(app).index('class="verdict"')


@pytest.mark.parametrize(("text", "rows"), [("zzzqq flurbel", 0), ("zzzqq", 0), ("a zzzqq flurbel", 4)])
def test_mostly_unknown_words_have_no_verdict_and_no_total(app, text, rows):
    app.run()
    app.text_input(key="say").set_value(text).run()
    assert "No decoder knows zzzqq" in shown(app) and 'class="verdict"' not in shown(app)
    assert len(re.findall(r'<th scope="row">', shown(app))) == rows and "sentence</th>" not in shown(app)
    assert ("Most of these words are unknown" in shown(app)) == (rows > 0)


@pytest.mark.parametrize("text", ["", "   ", "?!", "…"])
def test_no_words_are_no_judgement(app, text):
    app.run()
    app.text_input(key="say").set_value(text).run()
    assert 'class="verdict"' not in shown(app)
    assert ("There is no word in this" in " ".join(element.value for element in app.caption)) == bool(text.strip())


def test_your_own_words_are_cut_and_never_act_as_html(app):
    app.run()
    app.text_input(key="say").set_value("<script>alert(1)</script> " + "a " * 60).run()
    assert "<script>" not in shown(app) and "&lt;script" not in shown(app)
    assert any("The first 40 of 64 words are judged." in element.value for element in app.caption)


@pytest.mark.parametrize(("method", "said"), [("Greedy", "greedy"), ("Sampling", "sampling · temperature 0.7 · draw 0")])
def test_other_ways_of_writing(app, method, said):
    app.run()
    app.button_group(key="method").set_value(method).run()
    assert said in [element.value for element in app.caption]
    assert len(sentences(app)) == len(VARIANTS)
    assert not [expander for expander in app.expander if "more caption" in expander.label]


def test_another_draw_is_another_sentence(app):
    app.run()
    app.button_group(key="method").set_value("Sampling").run()
    app.slider(key="temperature").set_value(2.0).run()
    first = sentences(app)
    app.number_input(key="seed").set_value(7).run()
    assert sentences(app) != first
    app.number_input(key="seed").set_value(0).run()
    assert sentences(app) == first


def test_a_link_holds_sample_decoder_word_settings_and_words(app):
    for name, value in {"sample": "coffee", "why": "FastText", "at": "2", "method": "Greedy", "say": "a circle"}.items():
        app.query_params[name] = value
    app.run()
    assert descriptions(app)[0] == SAMPLES[-1].description
    assert app.button_group(key="why").value == "FastText" and app.button_group(key="at").value == 1
    assert "greedy" in [element.value for element in app.caption] and 'class="verdict"' in shown(app)


@pytest.mark.parametrize(("name", "value"), [("sample", "elephant"), ("at", "99"), ("at", "x"), ("why", "GloVe"), ("beam", "-3")])
def test_a_link_that_says_nonsense_opens_the_page_all_the_same(app, name, value):
    app.query_params[name] = value
    app.run()
    assert len(sentences(app)) == len(VARIANTS) and not refusals(app) and name not in app.query_params


def test_several_pictures_become_a_table_and_a_refused_one_says_why(app):
    app.run()
    first = sentences(app)[0]
    camera = SAMPLES[0].read()
    files = [("one.png", camera, "image/png"), ("two.jpg", picture(), "image/jpeg"), ("no.jpg", b"no", "image/jpeg")]
    app.file_uploader[0].set_value(files).run()
    table = app.dataframe[0].value
    assert table["image"].tolist() == ["one.png", "two.jpg", "no.jpg"]
    assert table["problem"].tolist()[:2] == ["", ""] and "is not a JPEG" in table["problem"].tolist()[2]
    assert table["Learned"].tolist()[0] == first and table["Learned"].tolist()[2] == ""
    assert descriptions(app)[0] == "Your photograph one.png."
    assert table["open"].tolist() == ["above", "", ""]


@pytest.mark.parametrize(("size", "told"), [((1, 1), True), ((500, 20), True), ((40, 32), False)])
def test_a_picture_of_a_few_pixels_is_captioned_with_a_warning(app, size, told):
    upload(app.run(), "small.png", picture("PNG", size))
    assert len(sentences(app)) == len(VARIANTS)
    assert any(f"only {size[0]} × {size[1]} pixels" in one.value for one in app.markdown) == told


def test_earlier_photographs_can_be_shown_again(app):
    app.run()
    first = sentences(app)
    app.button[1].click().run()
    assert "Earlier in this visit" in [header.value for header in app.header]
    assert first[0] in re.sub("<.*?>", "", shown(app))
    next(button for button in app.button if button.label == "Show again").click().run()
    assert descriptions(app)[0] == SAMPLES[0].description and sentences(app) == first


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
    assert descriptions(app)[0] == SAMPLES[0].description and not app.file_uploader[0].value


def test_a_text_file_named_jpg_is_refused_and_the_page_stays_usable(app):
    upload(app.run(), "notes.jpg", b"not a picture at all")
    assert len(refusals(app)) == 1 and "notes.jpg" in refusals(app)[0] and "JPEG" in refusals(app)[0]
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
    assert len([expander for expander in app.expander if expander.label == "4 more captions"]) == len(VARIANTS)


def test_the_settings_start_as_they_were_chosen_for_these_decoders(app, tiny_run, tmp_path, monkeypatch):
    from captioner.captioning.search_settings import SEARCH

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


def test_where_too_many_wait_a_visitor_reads_a_sentence(app, monkeypatch):
    """And captions as soon as there is a place again."""
    new = picture(size=(333, 251))  # One whose captions no other test has left in the cache.
    app.run()
    with monkeypatch.context() as patch:
        patch.setattr(QUEUE, "_most", 0)
        upload(app, "mine.jpg", new)
        assert not app.exception and any("busy (0 requests queued)" in text for text in refusals(app))
    upload(app, "mine.jpg", new)
    assert not refusals(app) and len(sentences(app)) == len(VARIANTS)


def test_a_part_of_the_page_for_which_there_is_no_place_says_so_itself(app, monkeypatch):
    """A click that draws one part again is not caught by the page; and of several pictures only those are lost that had to be."""
    app.run()
    with monkeypatch.context() as patch:
        patch.setattr(QUEUE, "_most", 0)
        app.text_input(key="say").set_value("a sentence nobody wrote before").run()
        assert not app.exception and any("busy" in text for text in refusals(app))
    app.run()
    assert not refusals(app)
    with monkeypatch.context() as patch:
        patch.setattr(QUEUE, "_most", 0)
        app.file_uploader[0].upload("one.jpg", picture(size=(99, 98)), "image/jpeg")
        app.file_uploader[0].upload("two.jpg", picture(size=(97, 96)), "image/jpeg")
        app.run()
        assert not app.exception and any("busy" in text for text in refusals(app))


def test_nothing_found_in_a_visitors_picture_is_kept_for_others(app):
    """What is found in a sample is; what is found in a picture of one's own goes with the visit."""
    app.run()
    upload(app, "mine.jpg", picture(size=(211, 199)))
    assert len(sentences(app)) == len(VARIANTS)
    clear_session_cache("test session id")  # As the server does when a visit ends; here all visits have this name.
    asked = []
    other = AppTest.from_file(str(APP), default_timeout=PATIENCE)
    with pytest.MonkeyPatch.context() as patch:
        encode = Captioner.encode
        patch.setattr(Captioner, "encode", lambda self, pictures: asked.append(len(pictures)) or encode(self, pictures))
        other.run()  # A sample that the first visitor has seen, too.
        assert asked == []
        upload(other, "mine.jpg", picture(size=(211, 199)))
        assert asked == [1]


def test_an_altered_decoder_is_a_sentence(app, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "altered")
    (folder / "learned" / "decoder.safetensors").write_bytes(b"altered")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert "has changed" in refusals(app.run())[0]


def test_decoders_that_were_trained_again_are_loaded_again(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "again")
    before = load_engine(folder)
    assert load_engine(folder) is before
    os.utime(folder / "learned" / "manifest.json", ns=(1, 1))
    assert load_engine(folder) is not before


def test_a_damaged_summary_or_search_setting_is_a_sentence_and_the_page_goes_on(app, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "damaged")
    (folder / "familiarity.safetensors").write_bytes(b"no tensors")
    (folder / "search.json").write_text("[]")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    app.run()
    assert len(refusals(app)) == 2 and "familiarity.safetensors" in refusals(app)[1] and "search.json" in refusals(app)[0]
    assert len(sentences(app)) == len(VARIANTS)
    assert {"Why did it write this?", "Your own words"} <= {header.value for header in app.header}


def test_the_gauge_says_how_familiar_a_photograph_is(app, tiny_run, tmp_path, encoder, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "familiar")
    pictures = [resize(read(sample.read(), sample.file), encoder.size) for sample in SAMPLES]
    pooled = encoder.encode(np.stack(pictures)).mean(axis=1)
    captions = [["a", sample.title.lower()] for sample in SAMPLES]
    Familiarity.fit(pooled[:5], pooled[:5], captions[:5], encoder.fingerprint, "samples").save(folder)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    app.run()
    assert "Nearest kind among the 5 it learned from: camera (1 photograph)" in " ".join(one.value for one in app.markdown)
    assert not any("expect" in one.value for one in app.markdown)
    write_curve(folder)
    app.run()
    assert any("captions than usual.** Of 100 photographs" in one.value for one in app.markdown) and not refusals(app)
    assert '<div class="meter" style="--usual:' in shown(app)
    app.button[5].click().run()
    assert any(one.value.startswith("**Stranger than every photograph held out") for one in app.markdown)
    assert 'aria-valuenow="100"' in shown(app)
    write_json(folder / "search.json", {"beam": 2, "length_preference": 0.7})
    app.run()
    assert "familiarity.json is of other decoders" in refusals(app)[0] and 'class="meter"' in shown(app)


def test_one_decoder_alone_is_not_compared_with_others(app, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "one")
    shutil.rmtree(folder / "learned")
    shutil.rmtree(folder / "fasttext")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    app.run()
    app.text_input(key="say").set_value("a red circle").run()
    assert len(sentences(app)) == 1 and "What the others gave" not in {one.value for one in app.subheader}
    assert not any("All of them" in one.value or "three decoders put" in one.value for one in app.markdown)
    assert re.search(r'class="verdict">Word2Vec finds it 1 in [^.]+ likely\.<', shown(app))


def test_a_new_picture_is_shown_whatever_row_was_chosen_before(app):
    app.run()
    camera, cat = SAMPLES[0].read(), SAMPLES[2].read()
    app.file_uploader[0].set_value([("a.png", camera, "image/png"), ("b.png", cat, "image/png")]).run()
    table = app.dataframe[0]
    app.session_state["opened"] = "something else"
    app.file_uploader[0].set_value([("c.png", SAMPLES[5].read(), "image/png")]).run()
    assert descriptions(app)[0] == "Your photograph c.png." and len(table.value) == 2


def test_too_many_pictures_are_named_and_not_dropped(app, monkeypatch):
    monkeypatch.setattr(photographs, "MOST_AT_ONCE", 2)
    app.run()
    files = [(f"{number}.jpg", picture(size=(40 + number, 30)), "image/jpeg") for number in range(4)]
    app.file_uploader[0].set_value(files).run()
    problems = app.dataframe[0].value["problem"].tolist()
    assert problems[:2] == ["", ""] and all("at once" in problem for problem in problems[2:])


@pytest.mark.parametrize(
    ("differ", "alike", "said"), [(True, False, "Underlined"), (False, True, "same sentence"), (False, False, "order")]
)
def test_what_the_underlining_means(differ, alike, said):
    assert said in page.compared(differ, alike)


def test_no_two_pages_share_a_place_in_the_address():
    """A bound widget's value would follow the visitor to the other page, where it means something else."""
    views, found = APP.parent / "captioner" / "views", {}
    for path in sorted(views.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [word.arg for word in node.keywords] if isinstance(node, ast.Call) else []
            if "bind" in names or "on_change" in names:
                key = next((word.value for word in node.keywords if word.arg == "key"), None)
                if isinstance(key, ast.Constant):
                    found.setdefault(key.value, set()).add(path.relative_to(views).parts[0])
    assert len(found) > 15
    assert {key: pages for key, pages in found.items() if len(pages) > 1} == {}
