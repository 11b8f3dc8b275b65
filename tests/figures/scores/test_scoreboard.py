"""The stored scores put in order, and a sentence for everything that is missing, damaged or of something else."""

import json
import math
import shutil

import pytest

from captioner.config import SHIPPED, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.scores.scoreboard import Trial, TriedBeams, read_beams, read_board
from captioner.model.stage_folders import stages_in
from captioner.storage import write_json
from support.factories import SETTING, comparison, write_all, write_scores


@pytest.fixture
def folder(tiny_run, tmp_path):
    return write_all(shutil.copytree(tiny_run, tmp_path / "run"))


def problems(folder, split="test") -> list[str]:
    return [str(problem) for problem in read_board(folder, split)[1]]


def test_everything_is_there(folder):
    board, problems = read_board(folder, "test")
    assert problems == [] and [entry.variant.name for entry in board.entries] == list(VARIANTS)
    assert (board.split, board.data, board.images) == ("test", "flickr8k", 1000)
    assert list(board.metrics.values()) == ["CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L"]
    assert board.entries[2].score.intervals["cider"] == pytest.approx((0.54, 0.60))
    assert board.comparison.differences == comparison(folder).differences


def test_a_metric_counts_when_every_decoder_has_it(folder):
    stored = json.loads((folder / "learned" / "scores.json").read_text())
    stored["test"]["metrics"]["meteor"] = 0.2
    write_json(folder / "learned" / "scores.json", stored)
    assert "meteor" not in read_board(folder, "test")[0].metrics


def test_a_further_data_set_counts_when_every_decoder_was_scored_on_it(folder):
    for name in VARIANTS:
        assert read_board(folder, "test")[0].further == {}
        stored = json.loads((folder / name / "scores.json").read_text())
        wide = stored["test"] | {"data": "wide", "images": 120}
        write_json(folder / name / "scores.json", stored | {"wide test": wide, "labelled": {"named": 0.5}})
    board, problems = read_board(folder, "test")
    assert board.further == {"wide": 120} and board.data == "flickr8k" and not problems
    assert read_board(folder, "dev")[0].further == {}
    write_json(folder / "learned" / "scores.json", stored | {"wide test": {}})
    assert "The scores of Learned on wide test: 'metrics' is missing" in str(read_board(folder, "test")[1][0])


def test_without_any_scores_there_is_no_board(tiny_run):
    board, problems = read_board(tiny_run, "test")
    assert board is None and len(problems) == len(VARIANTS)
    assert str(problems[0]).startswith("Learned has no scores on test")
    assert f"python -m captioner evaluate --data DIR --checkpoints {tiny_run} --split test" in str(problems[0])


def test_one_decoder_may_lack_its_scores(folder):
    (folder / "word2vec" / "scores.json").unlink()
    board, found = read_board(folder, "test")
    assert [entry.variant.name for entry in board.entries] == ["learned", "fasttext"] and board.comparison is None
    assert "Word2Vec has no scores on test" in str(found[0]) and "of other decoders" in str(found[1])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"test": {}}', "The scores of Learned on test: 'metrics' is missing"),
        ('{"test": {"metrics": 1}}', "The scores of Learned on test: 'metrics' should be"),
        ("[1]", "scores.json of learned: the content should be an object"),
        ("no", "scores.json of learned: the content should be readable JSON"),
    ],
)
def test_damaged_scores_are_a_sentence(folder, content, told):
    (folder / "learned" / "scores.json").write_text(content)
    assert problems(folder)[0].startswith(told)
    assert len(read_board(folder, "test")[0].entries) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"images": "1000"},
        {"images": 0},
        {"images": True},
        {"beam": 2.5},
        {"length_preference": "long"},
        {"data": ["flickr8k"]},
        {"metrics": {"bleu1": 0.6}},
        {"metrics": {"cider": math.nan}},
        {"metrics": {"cider": "0.5"}},
        {"intervals": {"cider": [0.4, math.inf]}},
        {"intervals": {"cider": [0.4]}},
    ],
    ids=str,
)
def test_scores_that_are_json_and_yet_no_scores_are_a_sentence(folder, change):
    stored = json.loads((folder / "learned" / "scores.json").read_text())
    write_json(folder / "learned" / "scores.json", stored | {"test": stored["test"] | change})
    assert problems(folder)[0].startswith("The scores of Learned on test")
    assert problems(folder, "dev") == []


def test_a_stale_comparison_is_told_and_left_out(folder):
    (folder / "fasttext" / "manifest.json").write_text("{}")
    board, found = read_board(folder, "test")
    assert board.comparison is None and "comparison on test is of other decoders or another setting" in str(found[0])


def test_scores_of_another_setting_make_the_comparison_stale(folder, monkeypatch):
    monkeypatch.setitem(SETTING, "beam", 7)
    write_scores(folder, "test")
    assert "another setting" in problems(folder)[0] and problems(folder, "dev") == []


def test_decoders_that_were_not_scored_alike_are_not_compared(folder, monkeypatch):
    monkeypatch.setitem(SETTING, "beam", 7)
    write_scores(folder, "test", {"learned": 0.5})
    assert "scored on test with different settings" in problems(folder)[0]


def test_a_missing_comparison_is_told(folder):
    (folder / "comparison.json").unlink()
    assert "have not been compared on test" in problems(folder)[0]


def test_the_shipped_decoders_advice_names_their_stage_and_no_folder(monkeypatch, folder):
    monkeypatch.setattr("captioner.figures.scores.scoreboard.SHIPPED", folder.parent.resolve())
    stage = folder.rename(folder.with_name("reward"))
    (stage / "comparison.json").unlink()
    assert "evaluate --data DIR --stage reward --split test" in problems(stage)[0]


@pytest.mark.parametrize("stage", stages_in(SHIPPED))
def test_what_ships_is_whole(stage):
    for split in ("dev", "test"):
        board, found = read_board(SHIPPED / stage, split)
        assert found == [] and board.comparison is not None
        for (first, second), metrics in board.comparison.differences.items():
            scores = {entry.variant.name: entry.score.metrics for entry in board.entries}
            for name, difference in metrics.items():
                assert difference.value == pytest.approx(scores[first][name] - scores[second][name])


def test_the_study_of_beams(tmp_path):
    rows = [
        {"beam": beam, "length_preference": length, "variants": {"learned": {"cider": beam / 10 + length}}}
        for beam, length in ((1, 0.7), (3, 0.4), (3, 1.0))
    ]
    write_json(tmp_path / "search.json", {"beam": 3, "length_preference": 1.0, "trials": rows})
    study = read_beams(tmp_path)
    first, *_, last = study.trials
    assert study == TriedBeams(3, 1.0, study.trials) and len(study.trials) == 3 and study.by_beam == [first, last]
    assert last == Trial(3, 1.0, {"learned": {"cider": pytest.approx(1.3)}})


def test_a_study_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="--choose"):
        read_beams(tmp_path)


ROW = {"beam": 3, "length_preference": 1.0, "variants": {"learned": {"cider": 0.5}}}
ANOTHER = ROW | {"variants": {"fasttext": {"cider": 0.5}}}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"trials": [1]},
        {"trials": []},
        {"trials": [ROW | {"variants": {}}]},
        {"trials": [ROW | {"variants": {"transformer": {"cider": 0.5}}}]},
        {"trials": [ROW | {"variants": {"learned": {"cider": math.nan}}}]},
        {"trials": [ROW | {"length_preference": 0.4}]},
        {"trials": [ROW | {"beam": 0}]},
        {"trials": [ROW, ANOTHER]},
        {"trials": [ROW], "beam": "3"},
    ],
    ids=str,
)
def test_a_damaged_study_is_a_sentence(content, tmp_path):
    chosen = {"beam": 3, "length_preference": 1.0}
    write_json(tmp_path / "search.json", chosen | content if content else content)
    with pytest.raises(CheckpointError, match="search.json"):
        read_beams(tmp_path)
