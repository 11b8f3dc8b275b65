"""What a stage changed, against differences worked by hand."""

import json
import shutil

import pytest

from captioner.figures.decoder.settings_in_words import read_facts
from captioner.figures.scores.scoreboard import read_board
from captioner.figures.scores.stage_changes import Change, Measured, changes, studied
from support.factories import LOSSES, history, write, write_all, write_run, write_scores
from support.fakes import rewarded
from support.study_factory import write_study


@pytest.fixture
def folders(tmp_path):
    """Two stages; the second has other histories and other wordings."""
    before, after = write_run(tmp_path / "before"), write_run(tmp_path / "after")
    for folder in (before, after):
        for name in LOSSES:
            (folder / name / "manifest.json").write_text("{}")
        write_all(folder)
    for name in LOSSES:
        write(after, name, rewarded(history(name)))
    return before, after


def measured(folder, split="test"):
    board, _ = read_board(folder, split)
    return Measured(board, {entry.variant.name: read_facts(folder / entry.variant.name)[0] for entry in board.entries})


def compare(folders):
    return changes(*map(measured, folders))


def test_scores_wording_and_loss_are_held_against_each_other(folders):
    path = folders[1] / "comparison.json"
    stored = json.loads(path.read_text())
    stored["test"]["wording"]["learned"] |= {"distinct_captions": 640, "repeating": 0.015}
    path.write_text(json.dumps(stored))
    write_scores(folders[1], "test", {"learned": 0.61, "word2vec": 0.53, "fasttext": 0.57})
    found = compare(folders)
    assert list(found) == ["CIDEr", "BLEU-4", "ROUGE-L", "repeats itself", "different captions", "different words", "dev loss"]
    assert found["CIDEr"][0] == Change("0.500", "0.610", "+0.110") and found["CIDEr"][1].difference == "+0.000"
    assert found["different captions"][0] == Change("750", "640", "−110")
    assert found["repeats itself"][0] == Change("10.0%", "1.5%", "−8.5 points")
    assert found["dev loss"][0] == Change("3.000", "3.100", "+0.100")


def test_a_study_tells_means_over_the_seeds_of_both_stages(tmp_path):
    study = write_study(tmp_path)
    found = studied(study, "test")
    of = {group.stage: group.runs["cider"][0] for group in study.groups if group.name == "learned"}
    assert found["CIDEr"][0].before == f"{of['first']:.3f}" and found["CIDEr"][0].after == f"{of['reward']:.3f}"
    assert found["repeats itself or breaks off"] == [Change("10.0%", "2.0%", "−8.0 points")] * 3
    assert found["loss"][0] == Change("2.700", "2.700", "+0.000") and "dev loss" not in found and "breaks off" not in found


def test_without_a_comparison_or_a_history_those_rows_are_missing(folders):
    (folders[0] / "comparison.json").unlink()
    (folders[1] / "fasttext" / "history.json").unlink()
    assert list(compare(folders)) == ["CIDEr", "BLEU-4", "ROUGE-L"]


def test_what_was_measured_otherwise_is_not_held_against_each_other(folders):
    assert compare(folders)
    write_scores(folders[1], "test", data="shapes")
    assert compare(folders) == {}
    write_all(folders[1])
    shutil.rmtree(folders[1] / "fasttext")
    assert compare(folders) == {}
