"""What the pages say of a comparison with repeated seeds, held against the file that it was written from."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.figures.scores import study_chart as charts
from captioner.figures.scores.study_file import gaps
from support.written_study import record, write_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def test_the_verdict_follows_the_rule(study):
    said = charts.verdict(study, FIRST)
    assert "over 2 trainings of each" in said and "Word2Vec is better than Learned by 0." in said
    assert "FastText is better" not in said
    assert "Word2Vec above Random" in charts.controls(study)
    random = next(group for group in study.groups if group.variant.name == "random")
    assert f"mean test CIDEr: Random {np.mean(random.runs['cider']):.3f}." in charts.controls(study)
    assert "3 pairs were compared over 2 trainings each" in charts.controls(study)
    assert charts.verdict(study, REWARD) == ""  # Of that stage there is one training of each.
    said = charts.encoders(study)
    assert "over the same seeds: Word2Vec is ahead of Word2Vec, CNN as it comes by 0.2" in said
    widest = max((gap.high - gap.low) / 2 for gap in gaps(study, FIRST))
    assert f"A difference of less than about {widest:.3f} would not have shown." in charts.verdict(study, FIRST)
    assert all("would not have shown" in text for text in (said, charts.controls(study)))
    assert "CNN as it comes" not in " ".join(f"{gap.better} {gap.worse}" for gap in gaps(study, FIRST))
    assert charts.verdict(study, "nowhere") == ""


def test_words_of_their_own(study):
    said = charts.own_words(study, FIRST)
    assert "mean over 2 trainings of each: Learned 1 (in most of them learned), Word2Vec 1 (in most" in said
    assert "over one training of each" in charts.own_words(study, REWARD) and "same vectors" not in said


def test_words_of_their_own_beside_those_that_luck_gives(tmp_path):
    chance = {FIRST: {"learned": 23.4, "word2vec": 18.0, "fasttext": 17.0}}
    said = charts.own_words(replace(write_study(tmp_path), own_words_by_chance=chance), FIRST)
    assert said.endswith("which only luck tells apart, one has to itself: Learned 23, Word2Vec 18 and FastText 17.")


def test_means_without_the_seed_that_the_settings_were_chosen_with(study):
    second = {group.name: group.runs["cider"][1] for group in study.stage(FIRST) if not group.on_original_encoder}
    told = " and ".join((", ".join(f"{VARIANTS[name].title} {second[name]:.3f}" for name in list(VARIANTS)[:2]),
                         f"FastText {second['fasttext']:.3f}"))  # fmt: skip
    assert charts.untuned(study, FIRST) == f"Without seed 1, with which the settings were chosen: {told}."
    assert charts.untuned(study, REWARD) == "" and charts.untuned(study, "nowhere") == ""


def test_means_and_deviations_are_those_of_the_runs(study):
    for stage, seeds in ((FIRST, (1, 2)), (REWARD, (1,))):
        table = charts.as_table(study, stage)
        for name, variant in VARIANTS.items():
            values = [record(stage, name, seed).metric("test", "cider") for seed in seeds]
            told = f"{np.mean(values):.3f}" + (f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else "")
            assert table.loc[variant.title, "test CIDEr"] == told
            assert table.loc[variant.title, "minutes"].startswith("5")
            assert table.loc[variant.title, "seeds"] == str(len(values))


def test_the_chart_has_a_ring_for_every_training(study):
    drawn = charts.chart(study, FIRST, "cider").to_dict()
    rows = next(iter(drawn["datasets"].values()))
    assert len(rows) == 10
    assert {row["who"] for row in rows} == {"Learned", "Word2Vec", "FastText", "Random", "Word2Vec, CNN as it comes"}
    text = charts.summary(study, FIRST, "cider")
    assert text.startswith("CIDEr on test of every training; Learned 0.5") and text.count(";") == 5


def test_means_are_over_the_seeds_that_all_have(study):
    learned = study.groups[0]
    longer = replace(learned, seeds=(1, 2, 3), runs={"cider": (*learned.runs["cider"], 9.0)})
    said = charts.verdict(replace(study, groups=(longer, *study.groups[1:])), FIRST)
    assert said == charts.verdict(study, FIRST) and "over 2 trainings of each" in said
