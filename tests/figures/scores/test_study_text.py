"""The sentences on the comparison with repeated seeds: their numbers, and that their claims hold for the record that ships."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, SHIPPED, STAGES, VARIANTS
from captioner.experiments.conclusions import read_study
from captioner.experiments.plans import FLICKR8K
from captioner.figures.scores import study_text
from captioner.scoring.bootstrap import Estimate
from support.study_factory import write_study

TIE = "No pair differs significantly"


@pytest.fixture
def study(tmp_path):
    """In it Word2Vec is better than the others, and the original CNN worse."""
    return write_study(tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_no_embedding_is_significantly_better_on_flickr8k(stage):
    study = read_study(SHIPPED, FLICKR8K)
    found = study_text.gaps(study, stage)
    assert len(found) == 3 and TIE in study_text.verdict(study, stage)
    assert all(gap.low < 0 < gap.high for gap in found), "the verdict of the README and of the Scores page no longer holds"


def test_no_control_differs_and_fine_tuning_helps_on_flickr8k():
    study = read_study(SHIPPED, FLICKR8K)
    assert "Of their 12 differences" in study_text.controls(study) and ", 0 are significant;" in study_text.controls(study)
    changes = [pair.cider.low for pair in study.pairs if pair.groups[0][0] == pair.groups[1][0]]
    assert len(changes) == 3 and min(changes) > 0 and study_text.encoders(study).count("+") == 3


def test_the_verdict_on_ones_own_runs(study):
    said = study_text.verdict(study, FIRST)
    assert said.startswith("Over 2 runs each, Word2Vec scores highest (CIDEr 0.6") and said.endswith("The lead is significant.")
    gaps = study_text.gaps(study, FIRST)
    assert {title for gap in gaps for title in (gap.better, gap.worse)} == {"Learned", "Word2Vec", "FastText"}
    assert study_text.verdict(study, REWARD) == ""  # There is one run of each.
    assert study_text.verdict(study, "nowhere") == ""


def test_the_numbers_of_a_tie(study):
    means = {group.name: np.mean(group.runs["cider"]) for group in study.groups[:3]}
    even = replace(study, pairs=tuple(replace(pair, cider=Estimate(0.01, -0.03, 0.05)) for pair in study.pairs))
    said = study_text.verdict(even, FIRST)
    assert TIE in said and "below about 0.040 are not detectable" in said and "over 2 runs each" in said
    assert all(f"{VARIANTS[name].title} {mean:.3f}" in said for name, mean in means.items())


def test_controls_have_their_means_and_the_number_of_significant_differences(study):
    random = next(group for group in study.groups if group.name == "random")
    said = study_text.controls(study)
    assert f"Random {np.mean(random.runs['cider']):.3f}." in said
    assert "Of their 3 differences from the three, over 2 runs each, 3 are significant" in said
    assert study_text.controls(replace(study, pairs=())) == ""


def test_fine_tuning_is_told_as_fine_tuned_minus_original(study):
    pair = next(pair for pair in study.pairs if pair.groups[0][0] == pair.groups[1][0])
    assert pair.groups == (("word2vec", False), ("word2vec", True))
    swapped = replace(pair, groups=pair.groups[::-1], cider=Estimate(-pair.cider.value, -pair.cider.high, -pair.cider.low))
    assert f"by +{pair.cider.value:.3f} ({pair.cider.low:.3f} to" in study_text.encoders(study)
    assert study_text.encoders(replace(study, pairs=(swapped,))) == study_text.encoders(study)
    assert study_text.encoders(replace(study, pairs=())) == ""


def test_words_of_their_own(study):
    said = study_text.own_words(study, FIRST)
    assert "mean over 2 runs: Learned 1 (in most runs learned), Word2Vec 1 (in most" in said
    assert "mean over 1 runs" in study_text.own_words(study, REWARD) and "same embedding" not in said
    chance = {FIRST: {"learned": 23.4, "word2vec": 18.0, "fasttext": 17.0}}
    said = study_text.own_words(replace(study, own_words_by_chance=chance), FIRST)
    assert said.endswith("Learned 23, Word2Vec 18 and FastText 17.")


def test_means_without_the_seed_that_the_settings_were_tuned_on(study):
    said = study_text.untuned(study, FIRST)
    for group in study.groups[:3]:
        assert f"{group.title} {group.runs['cider'][1]:.3f}" in said
    assert said.startswith("Without seed 1") and study_text.untuned(study, REWARD) == study_text.untuned(study, "nowhere") == ""
    learned = study.groups[0]
    longer = replace(learned, seeds=(1, 2, 3), runs={"cider": (*learned.runs["cider"], 9.0)})
    said = study_text.verdict(replace(study, groups=(longer, *study.groups[1:])), FIRST)
    assert said == study_text.verdict(study, FIRST)
