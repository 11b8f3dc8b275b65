"""The choice of a stage of training on every page that uses decoders, without a browser."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from captioner.config import VARIANTS
from captioner.storage import write_json
from captioner.views.launch_options import FOLDER_VARIABLE
from captioner.views.resources import load_engine
from captioner.views.stages import beside, title
from support.app_driver import APP, PATIENCE, open_view, refusals, sentences, shown
from support.factories import write_all
from support.fakes import TINY_EPOCHS, write_stages

pytestmark = pytest.mark.slow
PAGES = ("words", "scores", "how_it_works")


@pytest.fixture(scope="module")
def staged(tiny_run, tmp_path_factory):
    """Decoders of both stages, with scores; those of the second score a little higher."""
    folder = write_stages(tiny_run, tmp_path_factory.mktemp("staged") / "both")
    for stage, beam, length in (("first", 3, 0.7), ("reward", 2, 0.9)):
        write_all(folder / stage)
        trial = {"beam": beam, "length_preference": length, "variants": {"learned": {"cider": 0.5}}}
        write_json(folder / stage / "search.json", {"beam": beam, "length_preference": length, "trials": [trial]})
    path = folder / "reward" / "learned" / "scores.json"
    scores = json.loads(path.read_text())
    scores["test"]["metrics"]["cider"] = 0.56
    path.write_text(json.dumps(scores))
    return folder


@pytest.fixture(autouse=True)
def folder(staged, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(staged))
    monkeypatch.setattr("sys.argv", ["app.py"])
    return staged


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(APP, default_timeout=PATIENCE)


def said(app: AppTest) -> list[str]:
    return [element.value for element in app.caption]


def test_the_last_stage_captions_until_another_is_chosen(app):
    app.run()
    assert "Reward · beam 2 · length 0.9" in said(app) and "stage" not in app.query_params
    measures = [element.value for element in app.markdown if " · " in element.value]
    app.button_group(key="stage").set_value("first").run()
    assert "First stage · beam 3 · length 0.7" in said(app) and app.query_params["stage"] == "first"
    assert [element.value for element in app.markdown if " · " in element.value] != measures
    assert len(sentences(app)) == len(VARIANTS) and not refusals(app)
    app.button_group(key="stage").set_value("reward").run()
    assert "Reward · beam 2 · length 0.9" in said(app) and "stage" not in app.query_params


def test_a_link_holds_the_stage_and_what_was_chosen_of_the_search_stays(app):
    app.query_params.update({"stage": "first", "beam": "4"})
    app.run()
    assert "First stage · beam 4 · length 0.7" in said(app)
    app.button_group(key="stage").set_value("reward").run()
    assert "Reward · beam 4 · length 0.9" in said(app)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_choice_and_takes_the_one_of_the_page_before(name):
    page = open_view(name)
    page.session_state["stage-kept"] = "first"
    page.run()
    assert page.button_group(key="stage").value == "first" and page.query_params["stage"] == "first" and not refusals(page)
    page.button_group(key="stage").set_value("reward").run()
    assert page.session_state["stage-kept"] == "reward" and not refusals(page)


def test_where_there_is_no_choice_none_is_drawn(folder, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "first"))
    page = open_view("words")
    page.query_params["stage"] = "reward"
    page.run()
    assert "stage" not in [group.key for group in page.button_group] and not refusals(page)


def test_an_address_that_names_no_stage_shows_the_last():
    page = open_view("words")
    page.query_params["stage"] = "third"
    page.run()
    assert page.button_group(key="stage").value == "reward" and "stage" not in page.query_params


def test_the_command_line_asks_for_a_stage(folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["app.py", "--stage", "first"])
    assert open_view("words").run().button_group(key="stage").value == "first"
    monkeypatch.setattr("sys.argv", ["app.py", "--stage", "reward"])
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "first"))
    page = open_view("words").run()
    assert "There are no decoders of the stage 'reward'" in refusals(page)[0] and page.text_input(key="word").value


def test_the_scores_of_both_stages_stand_beside_each_other():
    page = open_view("scores").run()
    assert "What the second stage changed" in [header.value for header in page.header]
    assert "<b>0.560</b><small>before 0.500, +0.060</small>" in shown(page)
    assert "On the same 1,000 test photographs" in shown(page) and "read from the files in both/reward/" in said(page)[-1]
    page.segmented_control(key="split").set_value("dev").run()
    assert "<b>0.500</b><small>before 0.500, +0.000</small>" in shown(page)


def test_how_it_works_tells_the_stage():
    page = open_view("how_it_works").run()
    assert "Last stage of training" in shown(page)
    page.button_group(key="stage").set_value("first").run()
    assert re.search(r"Last stage of training.*?First stage", shown(page), re.DOTALL)


def test_curves_begin_with_the_decoders_of_the_last_stage():
    page = open_view("curves").run()
    assert page.selectbox(key="run").options[:2] == ["both/reward", "both/first"]
    assert [chart.proto.alt.split(" after")[0] for chart in page.get("vega_lite_chart")] == [
        "Loss per word", "CIDEr on dev", "Reward in training",
    ]  # fmt: skip
    told = "\n".join(element.value for element in page.markdown)
    assert f"The first {TINY_EPOCHS} epochs were the first stage" in told and "Those of the stage of reward" in told
    assert [float(number) for number in sentences(page)] == pytest.approx([0.6] * 3)
    assert "Learned, CIDEr on dev" in page.dataframe[0].value
    page.selectbox(key="run").set_value("both/first").run()
    assert len(page.get("vega_lite_chart")) == 1


def test_the_stages_share_one_encoder_and_stay_loaded(folder):
    first, reward = (load_engine(folder / stage).captioner for stage in ("first", "reward"))
    assert first.encoder is reward.encoder and (first.stage, reward.stage) == ("first", "reward")
    assert load_engine(folder / "first").captioner is first and load_engine(folder / "reward").captioner is reward


def test_a_stage_is_named_where_it_was_chosen_among_several(folder, tiny_run):
    assert title(folder / "reward") == "Reward" and beside(folder / "first") == [folder / "first", folder / "reward"]
    assert title(tiny_run) == "" and beside(tiny_run) == []
