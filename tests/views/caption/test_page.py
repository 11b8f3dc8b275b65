"""The app without a browser: every page, what a visitor can do on it, and every refusal."""

import ast
import os
import re
import shutil
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

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

pytestmark = pytest.mark.slow


@pytest.fixture
def app(tiny_run, monkeypatch) -> AppTest:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))
    return AppTest.from_file(APP, default_timeout=PATIENCE)


def picture(kind: str = "JPEG", size: tuple[int, int] = (320, 240)) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(file, kind)
    return file.getvalue()


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    return app.file_uploader[0].set_value([(name, data, "image/jpeg") for name, data in files]).run()


def click(app: AppTest, label: str, place: int = 0) -> AppTest:
    return [button for button in app.button if button.label == label][place].click().run()


def say(app: AppTest, text: str) -> str:
    """What the page shows after the visitor has typed a caption."""
    app.text_input(key="say").set_value(text).run()
    return shown(app)


def expanders(app: AppTest) -> list[str]:
    return [expander.label for expander in app.expander if "more caption" in expander.label]


def markdown(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


@pytest.fixture
def copy(tiny_run, tmp_path, monkeypatch) -> Path:
    """The decoders that the page opens with, to be changed."""
    folder = shutil.copytree(tiny_run, tmp_path / "copy")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def full(monkeypatch):
    """A context in which the queue is full."""

    @contextmanager
    def queue():
        with monkeypatch.context() as patch:
            patch.setattr(QUEUE, "_most", 0)
            yield

    return queue


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
    assert not app.get("vega_lite_chart")


def test_the_search_is_drawn_when_it_is_unfolded(app):
    app.session_state["search-open"] = app.session_state["tree-table"] = True
    app.run()
    assert app.get("vega_lite_chart")[0].proto.alt.endswith(f"is: {sentences(app)[0]}.")
    table = app.dataframe[0].value
    assert list(table)[:3] == ["step", "after", "word"] and "in the caption that won" in set(table["became"])


def test_what_is_prepared_before_any_visit_is_what_the_first_one_shows(app, copy, monkeypatch):
    page.prepare()
    for work in ("__init__", "see", "caption_seen"):
        monkeypatch.delattr(Captioner, work)
    assert all(sentences(app.run())) and not refusals(app)


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
    assert f"After “{first}” it wrote {second}, and might have written:" in markdown(app)
    lists = re.findall(r'<ol class="choices">(.*?)</ol>', shown(app))
    offered = app.button_group(key="go-on-1").options
    assert len(offered) == 5 and second not in offered
    assert offered in [re.findall(r"<b>(.*?)</b>", one.replace("<i>end</i>", "*end*")) for one in lists]
    assert shown(app).count('<p class="other">') == len(VARIANTS) - 1


def test_what_if_lets_every_decoder_go_on_from_the_same_words_about_the_same_photograph(app):
    app.run()
    app.button_group(key="at").set_value(1).run()
    before = app.button_group(key="at").proto.options[0].content.split(" ")[0]
    taken = next(word for word in app.button_group(key="go-on-1").options if word != "*end*")
    app.button_group(key="go-on-1").set_value(taken).run()
    given = re.findall(r'<p class="sentence small"><span>(.*?)</span>', shown(app))
    assert given == [f"{before} {taken}"] * len(VARIANTS)
    assert "sentence small" not in shown(click(app, "Close"))
    assert "sentence small" in shown(app.button_group(key="go-on-1").set_value(taken).run())
    assert "sentence small" not in shown(click(app, SAMPLES[1].title))


def test_your_own_words_are_judged_by_every_decoder(app):
    found = say(app.run(), "A red zebra, a circle!")
    assert re.search(r'<p class="verdict">(Learned|Word2Vec|FastText) finds it likeliest: 1 in .*Then ', found)
    assert "reads “some unknown word” in its place: zebra." in found
    table = found[found.index('<table class="plain">') :]
    assert re.findall(r'<th scope="row">(.*?)</th>', table)[:-1] == ["a", "red", "zebra", "a", "circle", "<i>end</i>"]
    assert table.count("<td>unknown</td>") == len(VARIANTS)
    assert found.index("Not counted") < found.index('class="verdict"')


def test_words_that_cannot_be_judged_have_no_verdict(app):
    app.run()
    for text, rows in (("zzzqq flurbel", 0), ("zzzqq", 0), ("a zzzqq flurbel", 4)):
        found = say(app, text)
        assert "unknown word” in its place: zzzqq" in found and 'class="verdict"' not in found
        assert len(re.findall(r'<th scope="row">', found)) == rows and "sentence</th>" not in found
        assert ("Most of these words are unknown" in found) == (rows > 0)
    for text in ("", "   ", "?!", "…"):
        assert 'class="verdict"' not in say(app, text)
        assert ("There is no word in this" in " ".join(element.value for element in app.caption)) == bool(text.strip())
    found = say(app, "<script>alert(1)</script> " + "a " * 60)
    assert "<script>" not in found and "&lt;script" not in found
    assert any("The first 40 of 64 words are judged." in element.value for element in app.caption)


def test_the_search_is_what_the_controls_say(app):
    app.run()
    assert len(expanders(app)) == len(VARIANTS)
    app.slider(key="beam").set_value(1).run()
    assert not expanders(app)
    app.slider(key="beam").set_value(5).run()
    assert expanders(app) == ["4 more captions"] * len(VARIANTS)
    for method, said in (("Greedy", "greedy"), ("Sampling", "sampling · temperature 0.7 · draw 0")):
        app.button_group(key="method").set_value(method).run()
        assert said in [element.value for element in app.caption]
        assert len(sentences(app)) == len(VARIANTS) and not expanders(app)
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


@pytest.mark.parametrize("at", ["99", "x"])
def test_a_link_that_says_nonsense_opens_the_page_all_the_same(app, at):
    nonsense = {"sample": "elephant", "at": at, "why": "GloVe", "beam": "-3"}
    app.query_params.update(nonsense)
    app.run()
    assert len(sentences(app)) == len(VARIANTS) and not refusals(app) and not nonsense.keys() & app.query_params


def test_several_pictures_become_a_table_and_a_refused_one_says_why(app):
    app.run()
    first = sentences(app)[0]
    camera = SAMPLES[0].read()
    upload(app, ("one.png", camera), ("two.jpg", picture()), ("no.jpg", b"no"))
    table = app.dataframe[0].value
    assert table["image"].tolist() == ["one.png", "two.jpg", "no.jpg"]
    assert table["problem"].tolist()[:2] == ["", ""] and "is not a JPEG" in table["problem"].tolist()[2]
    assert table["Learned"].tolist()[0] == first and table["Learned"].tolist()[2] == ""
    assert descriptions(app)[0] == "Your photograph one.png."
    assert table["open"].tolist() == ["above", "", ""]


def test_a_picture_of_a_few_pixels_is_captioned_with_a_warning(app):
    app.run()
    for size, told in (((1, 1), True), ((500, 20), True), ((40, 32), False)):
        upload(app, ("small.png", picture("PNG", size)))
        assert len(sentences(app)) == len(VARIANTS)
        assert (f"only {size[0]} × {size[1]} pixels" in markdown(app)) == told


def test_earlier_photographs_can_be_shown_again(app):
    app.run()
    first = sentences(app)
    click(app, SAMPLES[1].title)
    assert descriptions(app)[0] == SAMPLES[1].description and len(sentences(app)) == len(VARIANTS)
    assert "Earlier in this visit" in [header.value for header in app.header]
    assert first[0] in re.sub("<.*?>", "", shown(app))
    click(app, "Show again")
    assert descriptions(app)[0] == SAMPLES[0].description and sentences(app) == first


def test_an_upload_is_captioned_and_a_sample_takes_its_place(app):
    upload(app.run(), ("mine.jpg", picture()))
    assert len(sentences(app)) == len(VARIANTS)
    assert descriptions(app)[0] == "Your photograph mine.jpg."
    click(app, SAMPLES[0].title)
    assert descriptions(app)[0] == SAMPLES[0].description and not app.file_uploader[0].value


def test_what_is_no_picture_is_refused_by_its_name_as_text_and_the_page_stays_usable(app):
    name = "![x](http:..evil)<b>.jpg"
    upload(app.run(), (name, b"not a picture at all"))
    assert len(refusals(app)) == 1 and name in refusals(app)[0] and "JPEG" in refusals(app)[0]
    assert not sentences(app) and "<b>.jpg" not in shown(app) and "evil" not in markdown(app)
    click(app, SAMPLES[0].title)
    assert not refusals(app) and len(sentences(app)) == len(VARIANTS)


def test_without_decoders_the_page_says_what_to_do(app, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    app.run()
    assert "no trained decoder" in refusals(app)[0] and "python -m captioner train" in refusals(app)[0]
    assert descriptions(app)[0] == SAMPLES[0].description and app.file_uploader


def test_where_too_many_wait_each_part_says_so_and_captions_as_soon_as_there_is_a_place(app, full):
    """A click that draws one part again is not caught by the page; and of several pictures only those are lost that had to be."""
    new = picture(size=(333, 251))  # One whose captions no other test has left in the cache.
    app.run()
    with full():
        upload(app, ("mine.jpg", new))
        assert not app.exception and any("busy (0 requests queued)" in text for text in refusals(app))
    upload(app, ("mine.jpg", new))
    assert not refusals(app) and len(sentences(app)) == len(VARIANTS)
    with full():
        say(app, "a sentence nobody wrote before")
        assert any("busy" in text for text in refusals(app))
    assert not refusals(app.run())
    with full():
        upload(app, ("one.jpg", picture(size=(99, 98))), ("two.jpg", picture(size=(97, 96))))
        assert any("busy" in text for text in refusals(app))


def test_nothing_found_in_a_visitors_picture_is_kept_for_others(app):
    """What is found in a sample is; what is found in a picture of one's own goes with the visit."""
    app.run()
    upload(app, ("mine.jpg", picture(size=(211, 199))))
    assert len(sentences(app)) == len(VARIANTS)
    clear_session_cache("test session id")  # As the server does when a visit ends; here all visits have this name.
    asked = []
    other = AppTest.from_file(str(APP), default_timeout=PATIENCE)
    with pytest.MonkeyPatch.context() as patch:
        see = Captioner.see
        patch.setattr(Captioner, "see", lambda self, pictures: asked.append(len(pictures)) or see(self, pictures))
        other.run()  # A sample that the first visitor has seen, too.
        assert asked == []
        upload(other, ("mine.jpg", picture(size=(211, 199))))
        assert asked == [1]


def test_decoders_that_were_trained_again_are_loaded_again(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "again")
    before = load_engine(folder)
    assert load_engine(folder) is before
    os.utime(folder / "learned" / "manifest.json", ns=(1, 1))
    assert load_engine(folder) is not before


def test_a_damaged_summary_or_search_setting_is_a_sentence_and_the_page_goes_on(app, copy):
    (copy / "familiarity.safetensors").write_bytes(b"no tensors")
    (copy / "search.json").write_text("[]")
    app.run()
    assert len(refusals(app)) == 2 and "familiarity.safetensors" in refusals(app)[1] and "search.json" in refusals(app)[0]
    assert len(sentences(app)) == len(VARIANTS)
    assert {"Why did it write this?", "Your own words"} <= {header.value for header in app.header}


def test_the_gauge_says_how_familiar_a_photograph_is(app, copy, encoder):
    pictures = [resize(read(sample.read(), sample.file), encoder.size) for sample in SAMPLES]
    pooled = encoder.encode(np.stack(pictures)).mean(axis=1)
    captions = [["a", sample.title.lower()] for sample in SAMPLES]
    Familiarity.fit(pooled[:5], pooled[:5], captions[:5], encoder.fingerprint, "samples").save(copy)
    app.run()
    assert "Nearest kind among the 5 it learned from: camera (1 photograph)" in markdown(app) and "expect" not in markdown(app)
    write_curve(copy)
    app.run()
    assert "captions than usual.** Of 100 photographs" in markdown(app) and not refusals(app)
    assert '<div class="meter" style="--usual:' in shown(app)
    click(app, SAMPLES[5].title)
    assert "**Stranger than every photograph held out" in markdown(app) and 'aria-valuenow="100"' in shown(app)
    write_json(copy / "search.json", {"beam": 2, "length_preference": 0.7})
    app.run()
    assert "familiarity.json is of other decoders" in refusals(app)[0] and 'class="meter"' in shown(app)


def test_one_decoder_alone_is_not_compared_with_others(app, copy):
    shutil.rmtree(copy / "learned")
    shutil.rmtree(copy / "fasttext")
    assert re.search(r'class="verdict">Word2Vec finds it 1 in [^.]+ likely\.<', say(app.run(), "a red circle"))
    assert len(sentences(app)) == 1 and "What the others gave" not in {one.value for one in app.subheader}
    assert "All of them" not in markdown(app) and "three decoders put" not in markdown(app)


def test_a_new_picture_is_shown_whatever_row_was_chosen_before(app):
    upload(app.run(), ("a.png", SAMPLES[0].read()), ("b.png", SAMPLES[2].read()))
    table = app.dataframe[0]
    app.session_state["opened"] = "something else"
    upload(app, ("c.png", SAMPLES[5].read()))
    assert descriptions(app)[0] == "Your photograph c.png." and len(table.value) == 2


def test_too_many_pictures_are_named_and_not_dropped(app, monkeypatch):
    monkeypatch.setattr(photographs, "MOST_AT_ONCE", 2)
    upload(app.run(), *((f"{number}.jpg", picture(size=(40 + number, 30))) for number in range(4)))
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
            if {"bind", "on_change"} & {*names} or getattr(getattr(node, "func", None), "id", "") == "choose_one":
                key = next((word.value for word in node.keywords if word.arg == "key"), None)
                if isinstance(key, ast.Constant):
                    found.setdefault(key.value, set()).add(path.relative_to(views).parts[0])
    assert len(found) > 15
    assert {key: pages for key, pages in found.items() if len(pages) > 1} == {}
