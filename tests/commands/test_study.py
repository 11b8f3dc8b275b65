"""`study`: resumed trials of the seeds plan, the other plans, and the options that belong to one plan."""

import json
from dataclasses import replace

import pytest

from captioner.__main__ import main
from captioner.commands import study
from captioner.config import VARIANTS, SearchConfig
from captioner.errors import TrainingError
from captioner.experiments import plans
from captioner.experiments.plans import RECIPES, Trial
from captioner.presets import OLDER_RECIPES, PRESETS
from captioner.scoring.metrics import METRICS
from captioner.training import run as runs
from support.fakes import StubEncoder, small_dataset, small_preset
from support.recipe_factory import write_ablation, write_recipes, write_withheld
from support.study_factory import write_study


@pytest.mark.slow
def test_a_study_is_resumed_and_reports_its_trials(run, data, eager, tmp_path, monkeypatch, interrupt):
    seeds = ["--seeds", 1, "--reward-seeds", 0, "--control-seeds", 0]
    command = ["study", "--preset", "tiny", *seeds, "--checkpoints", tmp_path / "out", "--runs", tmp_path / "runs"]
    status, _, errors = run(*command)
    assert status == 2 and "No trial of the plan 'seeds' is finished" in errors
    tiny = PRESETS["tiny"]
    monkeypatch.setitem(PRESETS, "tiny", replace(tiny, training=replace(tiny.training, epochs=1)))
    with monkeypatch.context() as patch:
        interrupt("word2vec", patch)
        status, output, errors = run(*command, "--data", data)
    assert status == 130 and output == "" and "Re-run the command to continue" in errors
    with monkeypatch.context() as patch:
        diverge(patch, "fasttext")
        status, output, errors = run(*command, "--data", data)
    assert status == 2 and output == "" and errors.count("failed: The loss became nan in epoch 1") == 3
    assert "These trials are missing" in errors and "fasttext, first stage, seed 1." in errors
    status, output, errors = run(*command, "--data", data, "--ship", "--json")
    assert status == 0 and "3 of 3 done" in errors and "shipped the best on dev, learned seed 1" in errors, errors
    rows = json.loads(output)
    assert [row["variant"] for row in rows] == list(VARIANTS)
    for row in rows:
        assert (row["preset"], row["stage"], row["seed"]) == ("tiny", "first", 1) and row["seconds"] > 0
        assert {*METRICS} <= set(row["dev"]) and {*METRICS} <= set(row["test"])
    for place in ("runs/tiny/first/seeds/1", "out/first"):
        assert list(json.loads((tmp_path / place / "card.json").read_text())["decoders"]) == list(VARIANTS)
    stored = json.loads((tmp_path / "out" / "study.json").read_text())
    assert stored["finished"] == stored["planned"] == len(stored["pairs"]) == 3
    assert stored["groups"][0]["runs"]["cider"] == [rows[0]["test"]["cider"]]
    status, output, _ = run(*command)
    assert status == 0 and "excludes 0" in output and "Word2Vec" in output and output.count(" above ") == 3
    assert {line.split("  ")[0] for line in output.splitlines()} >= {"test CIDEr", "dev CIDEr", "minutes"}


def diverge(monkeypatch, variant):
    train = runs.Run._train

    def train_or_diverge(self, *rest):
        if self.variant == variant:
            raise TrainingError("The loss became nan in epoch 1; lower the learning rate and start again.")
        return train(self, *rest)

    monkeypatch.setattr(runs.Run, "_train", train_or_diverge)


@pytest.mark.slow
def test_the_recipes_are_trained_and_told(eager, tmp_path, monkeypatch, capsys):
    small = replace(small_preset(epochs=1), name="small", search=SearchConfig(beam=2, maximum_words=5))
    monkeypatch.setitem(PRESETS, "small", small)
    rows = {"table": {Trial("small", "learned"): 1}, "question": {}, "notes": {Trial("small", "word2vec"): 1}}
    monkeypatch.setitem(plans.PLANS, "recipes", replace(RECIPES, parts=rows))
    monkeypatch.setattr("captioner.data.datasets.load", lambda _data: small_dataset())
    monkeypatch.setattr("captioner.vision.encoders.load_encoder", lambda name, **_: StubEncoder())
    command = ["study", "--plan", "recipes", "--checkpoints", str(tmp_path), "--cache", str(tmp_path / "cache"), "--json"]
    assert main(command) == 2 and "No trial of the plan 'recipes' is finished" in capsys.readouterr().err
    assert main([*command, "--data", "shapes", "--part", "notes"]) == 0
    output, errors = capsys.readouterr()
    assert [row["variant"] for row in json.loads(output)] == ["word2vec"] and "0 of 1 trials are finished already." in errors
    assert main([*command, "--data", "shapes"]) == 0
    output, errors = capsys.readouterr()
    assert [(row["variant"], row["seed"]) for row in json.loads(output)] == [("learned", 1), ("word2vec", 1)]
    assert "1 of 2 trials are finished already." in errors and "Trial 1 of 1: small, learned" in errors
    assert (tmp_path / "runs/study/small/first/seeds/1/card.md").is_file() and not (tmp_path / "study.json").exists()
    before = (tmp_path / "trials/recipes.json").read_bytes()
    assert main([*command, "--data", "shapes"]) == 0 and "2 of 2 trials are finished" in capsys.readouterr().err
    assert (tmp_path / "trials/recipes.json").read_bytes() == before
    assert main(command[:-1]) == 0 and "2 of 2 trials" in capsys.readouterr().out


def test_every_plan_has_a_table():
    assert set(study._TABLES) == set(plans.PLANS)


def test_the_recipes_are_told_as_tables_and_sentences(tmp_path, capsys):
    write_recipes(tmp_path)
    write_study(tmp_path)
    assert main(["study", "--plan", "recipes", "--checkpoints", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "35 of 35 trials" in told and all(f"\n{preset}\n" in told for preset in OLDER_RECIPES)
    assert "0.500 (0.470 to 0.530)" in told and "seconds of the fastest epoch" in told
    with_study = len(told)
    (tmp_path / "flickr8k" / "study.json").write_text("{}")
    assert main(["study", "--plan", "recipes", "--checkpoints", str(tmp_path)]) == 0
    without = capsys.readouterr()
    assert len(without.out) < with_study and "35 of 35 trials" in without.out and "study.json" in without.err


def test_the_ablation_is_told_as_a_table_for_each_choice_of_data(tmp_path, capsys):
    write_ablation(tmp_path)
    assert main(["study", "--plan", "ablation", "--checkpoints", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("24 of 24 trials; means over seeds\n\nTrained on flickr8k\n")
    assert told.count("\nTrained on ") == 2 and "\nTrained on flickr8k, wide and made\n" in told
    assert told.count("Word2Vec, word slots: none") == told.count("FastText, word slots: 4") == 2


def test_plans_that_withhold_objects_are_told_with_what_was_expected(tmp_path, capsys):
    for plan, trials, heads in ((plans.UNSEEN, 24, 4), (plans.SHOTS, 18, 2)):
        write_withheld(tmp_path, plan)
        assert main(["study", "--plan", plan.name, "--checkpoints", str(tmp_path)]) == 0
        told = capsys.readouterr().out
        assert f"{trials} of {trials} trials" in told and told.count("\nWord slots: ") == heads
        assert "50.0%" in told, "2 of 4 photographs"
        assert plan.expectation in told
    assert main(["study", "--plan", "shots", "--checkpoints", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 18 * 4 and rows[0].keys() >= {"plan", "variant", "slots", "search", "object", "shots", "seed", "f1"}
    assert {row["shots"] for row in rows} == {1, 5, 20} and "says" not in rows[0]


def test_sizes_are_told_as_a_row_for_each_embedding(tmp_path, capsys):
    write_withheld(tmp_path, plans.SIZE)
    assert main(["study", "--plan", "size", "--checkpoints", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "60 of 60 trials" in told and "3,000" in told and "all 5,999" in told
    assert told.count("0.520 (0.010)") == 20, "the mean of 0.51, 0.52 and 0.53"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--plan", "recipes", "--part", "notes"], "leave out --part"),
        (["--corpus", "more.txt"], "leave out --corpus"),
        (["--ship"], "leave out --ship"),
        (["--plan", "recipes", "--encoder", "VGG16", "--encoder-weights", "vgg16.h5"], "--encoder and --encoder-weights"),
        (["--encoder", "VGG16"], "--encoder cannot be used with --plan seeds"),
        (["--plan", "flickr8k", "--ship", "--encoder", "VGG16"], "--ship and --encoder cannot be used with --plan flickr8k"),
        (["--plan", "recipes", "--seeds", "0", "--ship"], "--seeds and --ship cannot be used with --plan recipes"),
        (["--data", "shapes", "--part", "table"], "'seeds' has no part 'table'; choose one of three, controls."),
        (["--plan", "parrots"], "seeds, flickr8k, recipes, ablation"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, capsys, given, told):
    try:
        status = main(["study", "--checkpoints", str(tmp_path), *given])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2 and told.replace("'", "") in capsys.readouterr().err.replace("'", "")
