"""The README: the commands near its top, and figures that are the files' and nobody's memory."""

import json
import re
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from captioner.config import FIRST, REWARD, SHIPPED, VARIANTS
from captioner.config_io import to_json
from captioner.errors import CheckpointError
from captioner.experiments.records import Record, Scores, stored
from captioner.presets import PRESETS
from captioner.reports.readme import README, YARDSTICKS, pages, render
from captioner.storage import write_json
from support.recipe_factory import write_recipes
from support.study_factory import record, write_study

HISTORY = {
    "best_epoch": 2,
    "epochs": [{"epoch": 1, "dev_loss": 3.5, "seconds": 50.0}, {"epoch": 2, "dev_loss": 2.8125, "seconds": 60.0}],
}

SCORES = zip(VARIANTS, (0.51, 0.5, 0.52), strict=True)
FEWER = {name: {"metrics": {"cider": score, "bleu4": score - 0.3}} for name, score in SCORES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stage = tmp_path / FIRST
    names = ("cider", "bleu4", "rouge_l")
    split = {"metrics": dict.fromkeys(names, 0.5), "intervals": dict.fromkeys(names, [0.4, 0.6])}
    for name in VARIANTS:
        (stage / name).mkdir(parents=True)
        (stage / name / "manifest.json").write_text("{}")
        (stage / name / "history.json").write_text(json.dumps(HISTORY))
        (stage / name / "scores.json").write_text(json.dumps({"dev": split, "test": split}))
    rods = dict.fromkeys(YARDSTICKS, split)
    compared = {"yardsticks": rods, "against_fewer": FEWER}
    (stage / "comparison.json").write_text(json.dumps(dict.fromkeys(("dev", "test"), compared)))
    (stage / "search.json").write_text(json.dumps({"beam": 4, "length_preference": 0.9}))
    return tmp_path


def test_figures_come_from_the_files(folder: Path):
    text = render("before\n<!-- figures: results -->\nold 0.99\n<!-- end -->\nafter\n", folder)
    assert text.startswith("before\n<!-- figures: results -->\n| decoder |") and text.endswith("<!-- end -->\nafter\n")
    assert "old 0.99" not in text
    assert "| Word2Vec | 0.500 (0.400 to 0.600) |" in text
    assert "| 2.812 | 2 of 2 | 55 |" in text
    assert "| one sentence for all | 0.500 (0.400 to 0.600) |" in text
    assert "beam size 4, length preference 0.9" in " ".join(text.split())
    told = " ".join(text.split())
    assert "one caption fewer" in told and "CIDEr 0.500 to 0.520 and BLEU-4 0.200 to 0.220 (first stage)" in told


def test_each_stage_that_ships_has_its_rows(folder: Path):
    shutil.copytree(folder / FIRST, folder / REWARD)
    epochs = [*HISTORY["epochs"], {"epoch": 3, "dev_loss": 2.9, "seconds": 90.0, "stage": REWARD}]
    for name in VARIANTS:
        (folder / REWARD / name / "history.json").write_text(json.dumps({"best_epoch": 3, "epochs": epochs}))
    (folder / REWARD / "search.json").write_text(json.dumps({"beam": 2, "length_preference": 0.4}))
    text = render("<!-- figures: results -->\n<!-- end -->\n", folder)
    titles = [line.split(" | ")[0].lstrip("| ") for line in text.splitlines() if line.startswith("| ")]
    decoders = [variant.title for variant in VARIANTS.values()]
    assert titles == ["decoder", "**First stage**", *decoders, "**Reward**", *decoders, *YARDSTICKS.values()]
    assert text.count("| 2.812 | 2 of 2 | 55 |") == text.count("| 2.900 | 3 of 3 | 90 |") == len(VARIANTS)
    told = " ".join(text.split())
    assert "beam size 4, length preference 0.9" in told and "beam size 2, length preference 0.4" in told


def test_blocks_may_stand_in_any_readme(tmp_path: Path):
    block = "<!-- figures: limits -->\n<!-- end -->\n"
    places = [tmp_path, tmp_path / "captioner" / "training", tmp_path / "tests"]
    for place, text in zip(places, (block, block, "no block\n"), strict=True):
        place.mkdir(parents=True, exist_ok=True)
        (place / "README.md").write_text(text)
    (tmp_path / "captioner" / "NOTES.md").write_text(block)
    assert pages(tmp_path) == [places[0] / "README.md", places[1] / "README.md"]


def test_rendering_twice_changes_nothing(folder: Path):
    once = render("<!-- figures: results -->\n<!-- end -->\n", folder)
    assert render(once, folder) == once


def test_unknown_figures_are_refused(folder: Path):
    with pytest.raises(CheckpointError, match="'dreams'"):
        render("<!-- figures: dreams -->\n<!-- end -->\n", folder)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(README.parent).parent))
def test_the_pages_say_what_the_files_say(page):
    text = page.read_text(encoding="utf-8")
    assert render(text, SHIPPED) == text
    assert len(text.splitlines()) <= 200
    assert not re.findall(r"\w-\n\w+", text)  # It would be shown with a space after the hyphen.


def test_the_study_is_told_stage_by_stage(folder: Path):
    empty = render("<!-- figures: study -->\n<!-- end -->\n", folder)
    assert "no finished run yet" in empty
    write_study(folder)
    text = render(empty, folder)
    assert text.count("| Word2Vec | ") == 2 and text.index("**First stage**") < text.index("**Reward**")
    told = " ".join(text.split())
    assert "13 of 14 runs" in told and "excludes 0" in told and "Word2Vec scores highest" in told


def test_the_summary_has_repeated_and_shipped_runs(folder: Path):
    marks = "<!-- figures: summary -->\n<!-- end -->\n"
    write_study(folder)
    text = render(marks, folder)
    runs = [record(FIRST, "word2vec", seed).metric("test", "cider") for seed in (1, 2)]
    mean, deviation = statistics.fmean(runs), statistics.stdev(runs)
    assert f"| Word2Vec | 2 | {mean:.3f} ({deviation:.3f}) |" in text and "| 0.500 (0.400 to 0.600) |" in text
    assert all(title in text for title in YARDSTICKS.values())


def test_older_recipes_are_told_from_their_records(folder: Path):
    """Before there are any, a sentence; then a row for each of the table, and what follows from them."""
    marks = "<!-- figures: ancestors -->\n<!-- end -->\n<!-- figures: question -->\n<!-- end -->\n"
    empty = " ".join(render(marks, folder).split())
    assert "### An open question A well-known" in empty and "To answer this, train" in empty and "3.63" in empty
    assert "No older recipe was trained" in empty
    write_recipes(folder)
    text = render(marks, folder)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 15 + 1 + 10 and rows[0].startswith("| recipe | vectors | test CIDEr |")
    assert rows[2].startswith("| course | Word2Vec | 0.500 (0.470 to 0.530) |")
    assert "### An open question, answered" in text and "It was the dimensions. Here" in text
    assert render(text, folder) == text


def test_kept_runs_have_a_row_with_what_sets_them_apart(folder: Path):
    preset = PRESETS["tiny"]
    other = replace(preset, encoder="vgg16", embedding=replace(preset.embedding, window=7))
    score = Scores({"cider": 0.51234, "bleu4": 0.2, "rouge_l": 0.4}, 5, 1.0)
    plain, changed = (
        Record(variant, FIRST, 1, to_json(one.up_to(FIRST)), "shapes", one.encoder, name=name, losses=((3.0, 2.75), (2.9, 2.5)),
               seconds=180.0, scores={"dev": score})
        for variant, name, one in (("learned", "a-plain", preset), ("fasttext", "b-changed", other))
    )  # fmt: skip
    write_json(folder / "trials" / "tried.json", {"trials": [stored(plain), stored(changed)]})
    rows = [line for line in render("<!-- figures: tried -->\n<!-- end -->\n", folder).splitlines() if line.startswith("| ")]
    figures = "first | 2 | 2.500 | beam 5, 1 | 0.5123 | 0.2000 | 0.4000 | 3 |  |"
    assert rows[1:] == [
        f"| a-plain | tiny | Learned | {figures}",
        f"| b-changed | tiny, but encoder vgg16, vectors' window 7 | FastText | {figures}"
    ]  # fmt: skip


def test_the_readme_is_short_and_begins_with_the_two_commands():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 160 and README.stat().st_size <= 12 * 1024
    top = lines[:25]
    assert "pip install -r requirements.txt && streamlit run app.py" in top
    assert "pip install -r requirements.txt && python -m pytest" in top
