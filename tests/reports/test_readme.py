"""The README: the commands near its top, and figures that are the files' and nobody's memory."""

import json
import re
import shutil
import statistics
from pathlib import Path

import pytest

from captioner.config import FIRST, REWARD, SHIPPED, VARIANTS
from captioner.errors import CheckpointError
from captioner.reports.readme import README, YARDSTICKS, pages, render
from support.study_factory import record, wide_record, write_study, write_wide_study

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


def test_the_summary_has_repeated_and_shipped_runs(folder: Path):
    marks = "<!-- figures: summary -->\n<!-- end -->\n"
    write_study(folder)
    text = render(marks, folder)
    runs = [record(FIRST, "word2vec", seed).metric("test", "cider") for seed in (1, 2)]
    mean, deviation = statistics.fmean(runs), statistics.stdev(runs)
    assert f"| Word2Vec | 2 | {mean:.3f} ({deviation:.3f}) |" in text and "| 0.500 (0.400 to 0.600) |" in text
    assert all(title in text for title in YARDSTICKS.values())
    write_wide_study(folder)
    text = render(marks, folder)
    mean = statistics.fmean(wide_record(FIRST, "learned", seed).metric("wide test", "cider") for seed in (1, 2))
    assert "| stage | embedding | runs | test CIDEr | wide test CIDEr, 5 photographs | test BLEU-4 |" in text
    assert f" | {mean:.3f} (" in text and len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_a_further_data_set_has_its_column(folder: Path):
    """Where all decoders were scored on it."""
    marks = "<!-- figures: results -->\n<!-- end -->\n"
    for name in VARIANTS:
        assert "wide" not in render(marks, folder)
        path = folder / FIRST / name / "scores.json"
        scores = json.loads(path.read_text())
        wide = {"metrics": {"cider": 0.3}, "intervals": {"cider": [0.2, 0.4]}}
        path.write_text(json.dumps(scores | {"wide test": wide, "wide dev": wide}))
    text = render(marks, folder)
    assert "| decoder | test CIDEr | wide test CIDEr | test BLEU-4 |" in text
    assert "| Word2Vec | 0.500 (0.400 to 0.600) | 0.300 (0.200 to 0.400) | 0.500 (0.400 to 0.600) |" in text
    assert "| one sentence for all | 0.500 (0.400 to 0.600) |  | 0.500 (0.400 to 0.600) |" in text


def test_the_readme_is_short_and_begins_with_the_two_commands():
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 160 and README.stat().st_size <= 12 * 1024
    top = lines[:25]
    assert "pip install -r requirements.txt && streamlit run app.py" in top
    assert "pip install -r requirements.txt && python -m pytest" in top
