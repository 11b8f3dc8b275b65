"""Evaluation of a split: against the scorer called by hand, and with a captioner whose captions are known."""

import json
from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import load_search_config
from captioner.commands.evaluate import _may_store
from captioner.config import SHIPPED, VARIANTS, SearchConfig
from captioner.config_io import to_json
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.errors import CheckpointError, DatasetError
from captioner.model.stage_folders import stages_in
from captioner.presets import find_preset
from captioner.scoring import bootstrap, evaluation, metrics
from captioner.scoring.evaluation import Subjects, choose_beam, evaluate, load_scores, save_beam, save_scores
from captioner.storage import write_json
from captioner.vision.encoder import Seen
from captioner.vision.feature_cache import FeatureCache

DEV = shapes(48, 16, 16).split("dev")


class Parrot:
    """A captioner with known captions for a beam of `favourite`, and one wrong caption for every other setting."""

    variants = ("learned", "fasttext")

    def __init__(self, sayings, favourite=3):
        self.sayings, self.favourite, self.batches, self.configs = sayings, favourite, [], []

    def caption_seen(self, seen, config, variants=None):
        self.batches.append(len(seen.features))
        self.configs.append(config)
        good = config.beam == self.favourite and config.length_preference == 1.0
        said = [self.sayings[int(row[0, 0])] if good else "a cat" for row in seen.features]
        return [{name: [SimpleNamespace(text=text)] for name in variants} for text in said]


class Numbers:
    """A cache whose features are a picture's number, with some unreadable pictures."""

    def __init__(self, records, failed=()):
        self.numbers, self.failed = {record.name: float(number) for number, record in enumerate(records)}, failed

    def fill(self, records):
        return {name: f"'{name}' is damaged." for name in self.failed}

    def seen(self, records):
        return Seen(np.array([[[self.numbers[record.name]]] for record in records], np.float16))  # (records, 1, 1)


@pytest.fixture
def oracle():
    """A parrot that knows the first caption of every picture."""
    return Parrot([record.captions[0] for record in DEV])


BEST = SearchConfig(beam=3, length_preference=1.0)


@pytest.mark.slow
def test_captions_scores_intervals_and_differences_of_real_decoders(tiny_run, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "_PHOTOGRAPHS_AT_ONCE", 7)
    captioner = Captioner.load(tiny_run, encoder=encoder)
    found = evaluate(captioner, Subjects.of(DEV, FeatureCache(tmp_path, encoder)), SearchConfig(beam=2))
    references = [record.captions for record in DEV]
    assert list(found.captions) == list(found.scores) == ["learned", "word2vec", "fasttext"]
    for name, captions in found.captions.items():
        assert list(captions) == [record.name for record in DEV]
        assert found.scores[name].metrics == metrics.score(list(captions.values()), references)
        assert found.intervals[name] == bootstrap.interval(found.scores[name])
    assert list(found.differences) == [("learned", "word2vec"), ("learned", "fasttext"), ("word2vec", "fasttext")]
    expected = found.scores["learned"].metrics["cider"] - found.scores["fasttext"].metrics["cider"]
    assert found.differences["learned", "fasttext"]["cider"].value == pytest.approx(expected)
    alone = [captioner.caption([read(record.read())], SearchConfig(beam=2), ("learned",))[0]["learned"][0].text for record in DEV]
    # The cache holds half precision, which may turn a near tie of hardly trained decoders.
    assert sum(one == other for one, other in zip(found.captions["learned"].values(), alone, strict=True)) >= len(DEV) - 1


def test_photographs_go_in_batches_without_alternatives(oracle, monkeypatch):
    monkeypatch.setattr(evaluation, "_PHOTOGRAPHS_AT_ONCE", 6)
    found = evaluate(oracle, Subjects.of(DEV, Numbers(DEV)), BEST, ("fasttext",))
    assert list(found.captions) == list(found.scores) == ["fasttext"]
    assert oracle.batches == [6, 6, 4] and {config.alternatives for config in oracle.configs} == {0}
    assert list(found.captions["fasttext"].values()) == [record.captions[0] for record in DEV]
    assert found.scores["fasttext"].metrics["bleu4"] == pytest.approx(1.0)


def test_photographs_that_cannot_be_read_are_named_and_left_out(oracle):
    bad = DEV[0].name
    subjects = Subjects.of(DEV, Numbers(DEV, [bad]))
    found = evaluate(oracle, subjects, BEST)
    assert subjects.failed == {bad: f"'{bad}' is damaged."} and bad not in found.captions["learned"]
    assert found.summary("learned")["images"] == len(subjects.records) == len(DEV) - 1
    with pytest.raises(DatasetError, match="None of the 16 photographs"):
        Subjects.of(DEV, Numbers(DEV, [record.name for record in DEV]))


def test_one_setting_is_chosen_for_all_by_mean_cider(oracle):
    study = choose_beam(oracle, [Subjects.of(DEV, Numbers(DEV))], SearchConfig(), (5, 1, 3), (0.5, 1.0))
    tried = [(row["beam"], row["length_preference"]) for row in study.table()]
    assert tried == [(1, 0.7), (3, 0.5), (3, 1.0), (5, 0.5), (5, 1.0)]
    assert (study.best.config.beam, study.best.config.length_preference) == (3, 1.0)
    row = study.table()[2]
    assert row["mean_cider"] == pytest.approx(np.mean([row["variants"][name]["cider"] for name in oracle.variants]))


def test_a_setting_is_chosen_by_the_mean_of_the_data_sets(oracle):
    parts = [Subjects.of(part, Numbers(DEV)) for part in (DEV[:12], DEV[12:])]
    study = choose_beam(oracle, parts, SearchConfig(), (1, 3), (1.0,))
    means = [[found.mean_cider for found in trial.evaluations] for trial in study.trials]
    assert [row["mean_cider"] for row in study.table()] == pytest.approx([sum(two) / 2 for two in means])
    row, best = study.table()[1], study.best
    ciders = [found.scores["fasttext"].metrics["cider"] for found in best.evaluations]
    assert best.config.beam == 3 and row["variants"]["fasttext"]["cider"] == pytest.approx(sum(ciders) / 2)
    assert ciders[0] != ciders[1] and [len(found.captions["learned"]) for found in best.evaluations] == [12, 4]


def test_beams_are_tried_with_the_recipes_own_search_and_ties_go_to_the_smallest(oracle):
    oracle.favourite, base = None, find_preset("show-and-tell").search
    study = choose_beam(oracle, [Subjects.of(DEV, Numbers(DEV))], base, (1, 2), (0.5,))
    assert {config.maximum_words for config in oracle.configs} == {20} and study.best.config.beam == 1
    assert [(row["beam"], row["length_preference"]) for row in study.table()] == [(1, 0.0), (2, 0.5)]


def test_only_scores_of_the_whole_own_setting_may_be_stored(tmp_path, capsys):
    write_json(tmp_path / "learned" / "config.json", {"preset": to_json(find_preset("resnet152-lstm"))})
    options, own = Namespace(checkpoints=tmp_path, stage=None), SearchConfig(beam=1, maximum_words=20, alternatives=0)
    assert _may_store(options, own)
    for other in ({"maximum_words": 30}, {"method": "greedy"}, {"beam": 2}, {"length_preference": 0.0}):
        assert not _may_store(options, replace(own, **other))
        assert "own setting is beam 1, length preference 0.7, up to 20 words" in capsys.readouterr().err


@pytest.mark.parametrize("stage", stages_in(SHIPPED))
def test_scores_of_what_ships_may_be_renewed(stage):
    stored = [load_scores(SHIPPED / stage, name)[split] for name in VARIANTS for split in ("dev", "test")]
    (beam,), (preference,) = ({scores[key] for scores in stored} for key in ("beam", "length_preference"))
    assert _may_store(Namespace(checkpoints=SHIPPED, stage=stage), SearchConfig(beam=beam, length_preference=preference))


def test_the_chosen_setting_is_found_again(oracle, tmp_path):
    assert load_search_config(tmp_path) == SearchConfig()
    write_json(tmp_path / "learned" / "config.json", {"preset": to_json(find_preset("resnet152-lstm"))})
    assert load_search_config(tmp_path) == SearchConfig(beam=1, maximum_words=20)  # The recipe's, until one was chosen.
    save_beam(tmp_path, choose_beam(oracle, [Subjects.of(DEV, Numbers(DEV))], SearchConfig(), (1, 3), (1.0,)), "shapes")
    assert load_search_config(tmp_path) == SearchConfig(beam=3, length_preference=1.0, maximum_words=20)
    stored = json.loads((tmp_path / "search.json").read_text())
    assert stored["split"] == "dev" and stored["data"] == "shapes" and len(stored["trials"]) == 2


def test_damaged_scores_are_refused(tmp_path):
    write_json(tmp_path / "learned" / "scores.json", [])
    with pytest.raises(CheckpointError, match="scores.json of learned"):
        load_scores(tmp_path, "learned")


def test_scores_are_stored_by_split_beside_each_variant(oracle, tmp_path):
    found = evaluate(oracle, Subjects.of(DEV, Numbers(DEV)), BEST)
    assert load_scores(tmp_path, "learned") == {}
    for split in ("dev", "test"):
        save_scores(tmp_path, split, "shapes", found)
    for variant in oracle.variants:
        stored = load_scores(tmp_path, variant)
        assert list(stored) == ["dev", "test"] and stored["dev"] == stored["test"]
        assert stored["dev"] | {"metrics": 0, "intervals": 0} == {
            "data": "shapes", "images": 16, "beam": 3, "length_preference": 1.0, "metrics": 0, "intervals": 0
        }  # fmt: skip
        assert stored["dev"]["metrics"] == found.scores[variant].metrics
        assert set(stored["dev"]["intervals"]) == set(metrics.METRICS)
        low, high = stored["dev"]["intervals"]["cider"]
        assert low < stored["dev"]["metrics"]["cider"] < high
