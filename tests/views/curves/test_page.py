"""The page of the loss curves without a browser: every control, every run, every refusal."""

import json
import os
import shutil

import pytest

from captioner.config import VARIANTS
from captioner.views.curves import live_training
from captioner.views.launch_options import FOLDER_VARIABLE
from support.app_driver import open_view, refusals, sentences, shown
from support.factories import history, write, write_run, write_seeds
from support.fakes import TINY_EPOCHS

pytestmark = pytest.mark.slow
CHART = "vega_lite_chart"


@pytest.fixture(autouse=True)
def folder(tiny_run, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))
    monkeypatch.setattr("sys.argv", ["app.py"])
    return tiny_run


@pytest.fixture
def named(monkeypatch):
    """Name folders of runs as the command line does."""
    return lambda *folders: monkeypatch.setattr("sys.argv", ["app.py", "--runs", *map(str, folders)])


def specification(page) -> dict:
    return json.loads(page.get(CHART)[0].proto.spec)


def remarks(page) -> str:
    assert not page.exception
    return "\n".join(element.value for element in page.markdown)


def lines(page) -> list[dict]:
    return [layer for layer in specification(page)["layer"] if layer["mark"]["type"] == "line"]


def test_curves_show_a_chart_three_summaries_a_table_and_downloads():
    page = open_view("curves").run()
    assert "Learned: dev loss from" in page.get(CHART)[0].proto.alt
    assert len(sentences(page)) == len(VARIANTS) and not refusals(page)
    assert list(page.dataframe[0].value)[:2] == ["Learned, training", "Learned, dev"]
    assert [button.label for button in page.get("download_button")] == ["Losses as CSV", "Chart as PNG", "Chart as SVG"]
    assert "<dt>Recipe (preset)</dt><dd>tiny</dd>" in shown(page) and "(parameters)" in shown(page)
    assert shown(page).count('<th scope="row">') == len(VARIANTS)


def test_the_first_epoch_can_be_chosen_and_another_run_starts_where_it_would_by_itself(tmp_path, named):
    named(write_run(tmp_path / "mine"))
    page = open_view("curves").run()
    page.slider(key="from").set_value(2).run()
    assert lines(page)[0]["encoding"]["x"]["scale"]["domain"] == [2, TINY_EPOCHS]
    page.selectbox(key="run").set_value("mine").run()
    assert page.slider(key="from").value == 1 and "from" not in page.query_params


def test_the_chart_is_what_the_controls_say():
    page = open_view("curves").run()
    assert "type" not in lines(page)[0]["encoding"]["y"]["scale"] and len(lines(page)) == 2
    page.toggle(key="log").set_value(True).run()
    assert lines(page)[0]["encoding"]["y"]["scale"]["type"] == "log"
    page.slider(key="smooth").set_value(0.5).run()
    assert len(lines(page)) == 4 and "faint ones" in remarks(page) and "course project" not in remarks(page)
    page.toggle(key="course").set_value(True).run()
    assert len(lines(page)) == 5 and "59 epochs from 3.60" in remarks(page) and "do not compare their height" in remarks(page)
    page.segmented_control(key="axis").set_value("minutes").run()
    assert lines(page)[0]["encoding"]["x"]["title"] == "minutes of training"
    assert len(lines(page)) == 4 and "published no times" in remarks(page)


def test_what_was_chosen_comes_from_the_address(tmp_path, named):
    named(write_run(tmp_path / "mine"))
    page = open_view("curves")
    page.query_params.update({"run": "mine", "axis": "minutes", "log": "true", "smooth": "0.3", "course": "true", "from": "2"})
    page.run()
    assert page.selectbox(key="run").value == "mine" and page.segmented_control(key="axis").value == "minutes"
    assert page.toggle(key="log").value and page.toggle(key="course").value
    assert page.slider(key="smooth").value == 0.3 and page.slider(key="from").value == 2


def test_runs_below_the_checkpoints_and_named_ones_are_offered(tiny_run, tmp_path, monkeypatch, named):
    own = shutil.copytree(tiny_run, tmp_path / "own")
    write_run(own / "runs" / "first")
    named(write_run(tmp_path / "others" / "a").parent, write_seeds(tmp_path / "b"))
    write_run(tmp_path / "others" / "c")
    monkeypatch.setenv(FOLDER_VARIABLE, str(own))
    page = open_view("curves").run()
    assert page.selectbox(key="run").options == ["own", "own/runs/first", "others/a", "others/c", "b", live_training.LIVE]
    page.selectbox(key="run").set_value("b").run()
    assert "mean over up to 2 seeds" in remarks(page) and "the mean of 2 seeds from" in shown(page)
    assert "There are none beside its curves" in remarks(page)


def test_two_runs_of_one_name_are_told_apart(tmp_path, named):
    first, second = write_run(tmp_path / "1" / "same"), write_run(tmp_path / "2" / "same")
    named(first, second)
    assert open_view("curves").run().selectbox(key="run").options[1:3] == ["same", str(second)]


def test_a_named_folder_without_a_run_is_refused_and_the_page_goes_on(tmp_path, named):
    named(tmp_path / "<b>nothing")
    page = open_view("curves").run()
    assert "There is no run in" in refusals(page)[0] and "<b>nothing" not in shown(page)
    assert len(sentences(page)) == len(VARIANTS)


def test_a_second_stage_is_said_and_marked(tmp_path, named):
    for name in VARIANTS:
        write(tmp_path / "staged", name, history(name, [(4, 3.5), (3, 3.1), (2.5, 3.0)], earlier=2))
    named(tmp_path / "staged")
    page = open_view("curves").run()
    page.selectbox(key="run").set_value("staged").run()
    assert "The first 2 epochs were an earlier stage" in remarks(page)


def test_of_a_run_that_saw_dev_it_is_said(tmp_path, named, tiny_run):
    data = json.loads((tiny_run / "learned" / "history.json").read_text())["data"]
    for run, name in (("apart", "shapes"), ("joined", "shapes-7000-1000")):
        for variant in VARIANTS:
            write(tmp_path / run, variant, history(variant, data=data | {"name": name}))
    named(tmp_path)
    page = open_view("curves").run()
    for run, told in (("apart", False), ("joined", True)):
        page.selectbox(key="run").set_value(f"{tmp_path.name}/{run}").run()
        assert ("They were trained on the photographs of dev, too" in remarks(page)) == told


def test_a_run_in_progress_is_followed(tmp_path, named):
    run = write_run(tmp_path / "going")
    shutil.rmtree(run / "fasttext")
    write(run, "word2vec", history("word2vec", state="running"))
    named(run)
    page = open_view("curves")
    page.query_params["run"] = "going"
    page.run()
    assert "Still to come: FastText" in remarks(page) and not refusals(page)
    assert "so far; training goes on" in shown(page) and not [slider for slider in page.slider if slider.key == "from"]
    write(run, "word2vec", history("word2vec", [(4.2, 3.6), (3.2, 3.2), (3.0, 3.1)], state="stopped"))
    page.run()
    assert "in epoch 3 of 3; training was stopped" in shown(page) and "FastText has no curve yet" in refusals(page)[0]


@pytest.mark.parametrize("damage", ["histories", "settings", "everything"])
def test_what_is_missing_or_damaged_is_told_and_the_rest_is_shown(tiny_run, tmp_path, monkeypatch, damage):
    folder = tmp_path / "run"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    if damage == "everything":
        folder.mkdir()
    else:
        shutil.copytree(tiny_run, folder)
        (folder / "learned" / {"histories": "history.json", "settings": "config.json"}[damage]).write_text("{}")
    if damage == "histories":
        (folder / "word2vec" / "history.json").unlink()
        os.utime(folder / "fasttext" / "history.json", (0, 0))  # A lone fresh one belongs to a run that goes on.
    page = open_view("curves").run()
    refused, drawn = {"histories": (2, 1), "settings": (1, 3), "everything": (3, 0)}[damage]
    assert (len(refusals(page)), len(sentences(page))) == (refused, drawn)
    assert ("The settings of Learned" in refusals(page)[0]) == (damage == "settings")
