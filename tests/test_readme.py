"""The README: the commands near its top, and figures that are the files' and nobody's memory."""

import json
from pathlib import Path

import pytest

from captioner.checkpoints import SHIPPED
from captioner.config import VARIANTS
from captioner.errors import CheckpointError
from captioner.readme import README, YARDSTICKS, render

HISTORY = {
    "best_epoch": 2,
    "epochs": [{"epoch": 1, "dev_loss": 3.5, "seconds": 50.0}, {"epoch": 2, "dev_loss": 2.8125, "seconds": 60.0}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ("cider", "bleu4", "rouge_l")
    split = {"metrics": dict.fromkeys(names, 0.5), "intervals": dict.fromkeys(names, [0.4, 0.6])}
    for name in VARIANTS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "history.json").write_text(json.dumps(HISTORY))
        (tmp_path / name / "scores.json").write_text(json.dumps({"dev": split, "test": split}))
    rods = {name: split for name in YARDSTICKS}
    (tmp_path / "comparison.json").write_text(json.dumps({name: {"yardsticks": rods} for name in ("dev", "test")}))
    (tmp_path / "search.json").write_text(json.dumps({"beam": 4, "length_preference": 0.9}))
    return tmp_path


def test_figures_come_from_the_files(folder: Path):
    text = render("before\n<!-- figures: results -->\nold 0.99\n<!-- end -->\nafter\n", folder)
    assert text.startswith("before\n<!-- figures: results -->\n| decoder |") and text.endswith("<!-- end -->\nafter\n")
    assert "old 0.99" not in text
    assert "| Word2Vec | 0.500 (0.400 to 0.600) |" in text
    assert "| 2.812 | 2 of 2 | 55 |" in text
    assert "| one sentence for all | 0.500 (0.400 to 0.600) |" in text
    assert "Beam 4, length preference 0.9" in text


def test_rendering_twice_changes_nothing(folder: Path):
    once = render("<!-- figures: results -->\n<!-- end -->\n", folder)
    assert render(once, folder) == once


def test_unknown_figures_are_refused(folder: Path):
    with pytest.raises(CheckpointError, match="'dreams'"):
        render("<!-- figures: dreams -->\n<!-- end -->\n", folder)


def test_the_readme_says_what_the_files_say():
    text = README.read_text(encoding="utf-8")
    assert render(text, SHIPPED) == text


def test_the_two_commands_stand_in_the_first_25_lines():
    top = README.read_text(encoding="utf-8").splitlines()[:25]
    assert "pip install -r requirements.txt && streamlit run app.py" in top
    assert "pip install -r requirements.txt && python -m pytest" in top
