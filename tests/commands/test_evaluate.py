"""`evaluate`: scores, differences and comparisons, what it stores, and the choice of a search setting."""

import json
import shutil
from dataclasses import replace

import pytest

from captioner.config import VARIANTS, SearchConfig
from captioner.data.datasets import shapes
from captioner.data.labels import load_labels, mark
from captioner.experiments.records import read_kept
from captioner.model.checkpoints import load_all, save
from captioner.scoring.metrics import METRICS
from support.fakes import TINY_EPOCHS, trained_on

pytestmark = pytest.mark.slow


def test_evaluate_prints_metrics_intervals_and_captions(run, data, copied):
    status, output, errors = run("evaluate", "--data", data, "--split", "test", "--checkpoints", copied, "--json")
    answer = json.loads(output)
    assert status == 0 and "test-00001.png" in errors and "left out: 1; scored: 14" in errors
    assert list(answer["variants"]) == list(VARIANTS) and list(answer["failed"]) == ["test-00001.png"]
    for name, result in answer["variants"].items():
        assert set(result["metrics"]) == set(result["intervals"]) == set(METRICS)
        assert len(result["captions"]) == 14 and all(isinstance(text, str) for text in result["captions"].values())
        stored = json.loads((copied / name / "scores.json").read_text())["test"]
        assert stored["metrics"] == result["metrics"] and stored["data"] == "flickr8k" and stored["beam"] == 3
        assert json.loads((copied / "card.json").read_text())["decoders"][name]["scores"]["test"] == stored
    assert [(pair["first"], pair["second"]) for pair in answer["differences"]][0] == ("learned", "word2vec")


def test_how_many_captions_name_the_object(run, data, tiny_run, tmp_path):
    """Counted by hand in the captions of the four photographs that are held out."""
    folder, labelled = trained_on(shutil.copytree(tiny_run, tmp_path / "run"), "flickr8k"), tmp_path / "named"
    (labelled / "labelled").mkdir(parents=True)
    records = shapes(0, 40, 0).split("dev")
    for record in records:
        (labelled / "labelled" / record.name).write_bytes(record.read())
    (labelled / "labels.tsv").write_text("".join(f"{record.name}\tcircle or star\n" for record in records))
    command = ["evaluate", "--checkpoints", folder, "--labels", labelled]
    status, output, errors = run(*command, "--json")
    answer = json.loads(output)
    assert status == 0 and list(answer) == ["labelled"] and list(answer["labelled"]) == list(VARIANTS), errors
    for name, found in answer["labelled"].items():
        hits = [any(word in text for word in ("circle", "star")) for text in found["captions"].values()]
        assert len(hits) == found["images"] == 4 and found["named"] == sum(hits) / 4
        assert found["labels"] == mark(load_labels(labelled).held_out)
        stored = json.loads((folder / name / "scores.json").read_text())["labelled"]
        assert stored == {key: value for key, value in found.items() if key != "captions"} and stored["data"] == "named"
    status, output, _ = run(*command, "--data", data, "--split", "dev", "--variant", "learned")
    assert status == 0 and output.startswith("flickr8k, dev: 16") and "\nnamed, labels: 4 photographs held out of" in output
    assert list(json.loads((folder / "learned" / "scores.json").read_text())) == ["labelled", "dev"]
    (labelled / "labels.tsv").write_text(f"{records[0].name}\tcircle\n")
    status, output, errors = run(*command)
    assert status == 2 and not output and "0 are held out, and none of these is readable" in errors
    for wrong in ([], ["--data", data], ["--split", "dev", "--labels", labelled]):
        status, output, errors = run("evaluate", "--checkpoints", folder, *wrong)
        assert status == 2 and not output and "Give --data with --split, or --labels, or all three." in errors


def test_the_table_has_all_metrics_and_only_scores_of_the_own_setting_are_stored(run, data, tiny_run, tmp_path):
    copied = shutil.copytree(tiny_run, tmp_path / "run")
    arguments = ["evaluate", "--split", "dev", "--checkpoints", copied, "--variant", "learned", "--variant", "fasttext"]
    status, output, errors = run(*arguments, "--data", data, "--beam", 1)
    lines = output.splitlines()
    assert status == 0 and lines[0].startswith("flickr8k, dev: 16 photographs, beam 1, length preference 0.7")
    assert lines[2].split() == ["Learned", "FastText"] and "Learned - FastText" in output
    assert {line.split()[0] for line in lines if "[" in line} == set(METRICS)
    assert "not stored: the decoders' own setting is beam 3" in errors and not (copied / "learned" / "scores.json").exists()


def test_several_data_sets_are_scored_apart(run, data, other_data, tiny_run, tmp_path, monkeypatch):
    """Those of the set that the decoders were trained on first keep their place, whatever the order of the options."""
    folder = trained_on(shutil.copytree(tiny_run, tmp_path / "run"), "flickr8k+own")
    command = ["evaluate", "--checkpoints", folder, "--data", other_data, "--data", data]
    status, output, errors = run(*command, "--split", "dev", "--json")
    sets = json.loads(output)["sets"]
    assert status == 0 and list(sets) == ["own", "flickr8k"], errors
    assert [len(answer["variants"]["learned"]["captions"]) for answer in sets.values()] == [6, 16]
    stored = json.loads((folder / "learned" / "scores.json").read_text())
    assert {key: (scores["data"], scores["images"]) for key, scores in stored.items()} == {
        "own dev": ("own", 6), "dev": ("flickr8k", 16)
    }  # fmt: skip
    assert stored["own dev"]["metrics"] == sets["own"]["variants"]["learned"]["metrics"]
    comparison = json.loads((folder / "comparison.json").read_text())
    assert list(comparison) == ["dev"] and comparison["dev"]["data"] == "flickr8k"
    monkeypatch.setattr("captioner.scoring.evaluation.choose_beam.__defaults__", ((1, 2), (1.5,)))
    status, output, _ = run(*command, "--split", "dev", "--choose")
    assert status == 0 and "own, dev: 6 photographs" in output and "\nflickr8k, dev: 16 photographs" in output
    assert json.loads((folder / "search.json").read_text())["data"] == "own+flickr8k"
    status, output, errors = run(*command, "--split", "test", "--data", data)
    assert status == 2 and not output and "Two data sets are called flickr8k" in errors


def test_scoring_all_decoders_stores_a_comparison(run, data, tiny_run, tmp_path):
    folder = trained_on(shutil.copytree(tiny_run, tmp_path / "run"), "flickr8k")
    command = ["evaluate", "--data", data, "--checkpoints", folder, "--json"]
    status, _, errors = run(*command, "--split", "dev", "--variant", "learned")
    assert status == 0 and "No comparison is stored" in errors and not (folder / "comparison.json").exists()
    assert "dev" in json.loads((folder / "learned" / "scores.json").read_text())
    status, output, errors = run(*command, "--split", "dev")
    stored = json.loads((folder / "comparison.json").read_text())
    assert status == 0 and "Scoring people" in errors and list(stored) == ["dev"]
    assert stored["dev"]["differences"] == json.loads(output)["differences"]
    assert list(stored["dev"]["yardsticks"]) == ["people", "constant"] and stored["dev"]["images"] == 16
    assert list(stored["dev"]["against_fewer"]) == list(VARIANTS) and list(stored["dev"]["decoders"]) == list(VARIANTS)
    assert list(stored["dev"]["wording"]) == [*VARIANTS, "people"] and stored["dev"]["wording"]["people"]["copied"] is not None


def test_the_search_setting_is_chosen_on_dev_only_and_stored(run, data, tiny_run, tmp_path, monkeypatch):
    folder = trained_on(shutil.copytree(tiny_run, tmp_path / "run"), "flickr8k")
    monkeypatch.setattr("captioner.scoring.evaluation.choose_beam.__defaults__", ((2, 1), (1.5,)))
    command = ["evaluate", "--data", data, "--checkpoints", folder, "--choose"]
    for arguments in (["--split", "test"], ["--split", "dev", "--beam", 2], ["--split", "dev", "--variant", "learned"]):
        status, output, errors = run(*command, *arguments)
        assert status == 2 and output == "" and errors.startswith("triptych: ")
    status, output, _ = run(*command, "--split", "dev")
    stored = json.loads((folder / "search.json").read_text())
    assert status == 0 and "mean CIDEr" in output and output.count("beam 1, length preference 0.7") in (1, 2)
    assert {(trial["beam"], trial["length_preference"]) for trial in stored["trials"]} == {(1, 0.7), (2, 1.5)}
    assert json.loads((folder / "learned" / "scores.json").read_text())["dev"]["beam"] == stored["beam"]


def test_the_choice_keeps_the_recipes_maximum_length(run, data, tiny_run, tmp_path, monkeypatch):
    """Its scores are stored: the decoders are used with this setting."""
    folder = tmp_path / "run"
    for name, found in load_all(tiny_run).items():
        preset = replace(found.preset, search=SearchConfig(beam=2, maximum_words=3))
        save(folder / name, replace(found, preset=preset), json.loads((tiny_run / name / "history.json").read_text()))
    trained_on(folder, "flickr8k")
    monkeypatch.setattr("captioner.scoring.evaluation.choose_beam.__defaults__", ((1,), (0.7,)))
    status, output, errors = run("evaluate", "--data", data, "--checkpoints", folder, "--split", "dev", "--choose", "--json")
    said = [text.split() for result in json.loads(output)["variants"].values() for text in result["captions"].values()]
    assert status == 0 and max(map(len, said)) == 3 and "not stored" not in errors
    assert json.loads((folder / "learned" / "scores.json").read_text())["dev"]["beam"] == 1


def test_the_decoders_of_a_stage_are_scored_with_their_own_setting(run, data, staged):
    command = ["evaluate", "--data", data, "--split", "dev", "--checkpoints", staged, "--variant", "learned"]
    status, output, _ = run(*command, "--json")
    answer = json.loads(output)
    assert status == 0 and (answer["stage"], answer["beam"], answer["length_preference"]) == ("reward", 2, 0.9)
    assert [(staged / stage / "learned" / "scores.json").exists() for stage in ("first", "reward")] == [False, True]
    status, output, _ = run(*command, "--stage", "first")
    assert status == 0 and "beam 3, length preference 0.7, stage first;" in output.splitlines()[0]
    assert json.loads((staged / "first" / "learned" / "scores.json").read_text())["dev"]["beam"] == 3


def test_decoders_trained_on_dev_are_scored_on_test_only(run, data, eager, tmp_path, monkeypatch):
    out, seen = tmp_path / "run", []
    two, splits = ["--variant", "learned", "--variant", "word2vec"], ["--splits", "7000-1000"]
    status, output, _ = run("train", "--data", data, *two, *splits, "--preset", "tiny", "--epochs", 1, "--out", out)
    assert status == 0 and f"evaluate --data {data} --split test --checkpoints {out}" in output
    known = json.loads((out / "learned" / "history.json").read_text())["data"]
    assert known["name"] == "flickr8k-7000-1000" and known["photographs"] == {"train": 64, "dev": 16}
    command = ["evaluate", "--data", data, "--checkpoints", out]
    before = sorted(out.rglob("*"))
    for refused in (["--choose"], ["--keep", "joined"]):
        status, output, errors = run(*command, "--split", "dev", *refused)
        assert status == 2 and not output and "trained on the dev photographs" in errors and "--split test" in errors
    status, output, errors = run(*command, "--split", "dev")
    assert status == 0 and "cider" in output and "trained on the dev photographs (--splits 7000-1000)" in errors
    status, output, errors = run("familiar", "--data", data, "--checkpoints", out)
    assert status == 2 and not output and "none are held out to measure with" in errors
    assert sorted(out.rglob("*")) == before
    monkeypatch.setattr("captioner.scoring.comparison.compare", lambda *given: seen.append(len(given[-1])))
    monkeypatch.setattr("captioner.scoring.comparison.save_comparison", lambda *_: None)
    status, _, errors = run(*command, "--split", "test")
    assert status == 0 and "trained on the dev" not in errors and seen == [64]
    assert list(json.loads((out / "learned" / "scores.json").read_text())) == ["test"]


def test_a_tried_run_is_recorded_beside_the_shipped_ones(run, tmp_path, tiny_run, other_data, monkeypatch):
    """With its dev scores, and without weights; the decoders' own scores stay as they were."""
    monkeypatch.setattr("captioner.data.datasets.shapes", lambda: shapes(0, 16, 0))
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    before = sorted(path.name for path in (folder / "learned").iterdir())
    monkeypatch.setattr("captioner.config.SHIPPED", tmp_path / "shipped")
    command = ["evaluate", "--data", "shapes", "--checkpoints", folder, "--variant", "learned", "--beam", "1"]
    assert run(*command, "--split", "dev", "--keep", "first-try")[0] == 0
    (kept,) = read_kept(tmp_path / "shipped")
    assert (kept.name, kept.trial.preset, kept.variant, kept.data) == ("first-try", "tiny", "learned", "shapes")
    assert kept.scores["dev"].beam == 1 and kept.epochs == TINY_EPOCHS and len(list((tmp_path / "shipped").rglob("*.*"))) == 1
    assert sorted(path.name for path in (folder / "learned").iterdir()) == before
    sets = ["evaluate", "--data", other_data, *command[1:]]
    assert run(*sets, "--split", "dev", "--keep", "two-sets")[0] == 0
    _, both = read_kept(tmp_path / "shipped")
    assert {split: scores.images for split, scores in both.scores.items()} == {"own dev": 6, "dev": 16}
    assert (both.name, both.data) == ("two-sets", "own+shapes") and both.scores["dev"] == kept.scores["dev"]
    for wrong in (["--split", "test", "--keep", "first-try"], ["--split", "dev", "--keep", "../outside"]):
        status, _, errors = run(*command, *wrong)
        assert status == 2 and wrong[-1] in errors
