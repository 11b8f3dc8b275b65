"""The page of the loss curves without a browser."""

import shutil

import pytest

from captioner.config import VARIANTS
from captioner.views.resources import FOLDER_VARIABLE
from pages import open_view, refusals, sentences


@pytest.fixture(autouse=True)
def folder(tiny_run, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tiny_run))


def test_curves_show_a_chart_three_summaries_and_a_table():
    page = open_view("curves").run()
    assert "Learned: dev loss from" in page.get("vega_lite_chart")[0].proto.alt
    assert len(sentences(page)) == len(VARIANTS) and not refusals(page)
    assert list(page.dataframe[0].value)[:2] == ["Learned, training", "Learned, dev"]
    page.slider(key="from").set_value(2).run()
    assert len(sentences(page)) == len(VARIANTS)


def test_curves_say_what_is_missing_and_show_the_rest(tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run, tmp_path / "two")
    (folder / "learned" / "history.json").unlink()
    (folder / "fasttext" / "history.json").write_text("{}")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    page = open_view("curves").run()
    assert len(refusals(page)) == 2 and len(sentences(page)) == 1


def test_curves_without_any_history(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    page = open_view("curves").run()
    assert len(refusals(page)) == len(VARIANTS) and not sentences(page)
