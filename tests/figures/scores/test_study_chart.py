"""What the pages say of a comparison with repeated seeds, held against the file that it was written from."""

import json

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.scores import study_chart as charts
from captioner.figures.scores.study_file import read_study
from support.written_study import write_study


@pytest.fixture
def study(tmp_path):
    write_study(tmp_path)
    return read_study(tmp_path)


def test_a_study_is_found_above_its_stages(tmp_path):
    assert read_study(tmp_path / "first") is None
    write_study(tmp_path)
    found = read_study(tmp_path / "first")
    assert found.finished == 13 and found.planned == 14
    told = [(group.stage, group.variant.name, group.seeds) for group in found.groups[:3]]
    assert told == [(FIRST, name, (1, 2)) for name in VARIANTS]
    assert [group.stage for group in found.groups[3:6]] == [REWARD] * 3 and found.groups[6].variant.name == "random"


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
    widest = max((gap.high - gap.low) / 2 for gap in study.gaps(FIRST))
    assert f"A difference of less than about {widest:.3f} would not have shown." in charts.verdict(study, FIRST)
    assert all("would not have shown" in text for text in (said, charts.controls(study)))
    assert "CNN as it comes" not in " ".join(f"{gap.better} {gap.worse}" for gap in study.gaps(FIRST))
    assert charts.verdict(study, "nowhere") == ""


def test_words_of_their_own(study):
    said = charts.own_words(study, FIRST)
    assert "mean over 2 trainings of each: Learned 1 (in most of them learned), Word2Vec 1 (in most" in said
    assert "over one training of each" in charts.own_words(study, REWARD) and "same vectors" not in said


def test_words_of_their_own_beside_those_that_luck_gives(tmp_path):
    data = write_study(tmp_path)
    data["own_words_by_chance"] = [{"stage": FIRST, "learned": 23.4, "word2vec": 18, "fasttext": 17}]
    (tmp_path / "study.json").write_text(json.dumps(data))
    said = charts.own_words(read_study(tmp_path), FIRST)
    assert said.endswith("which only luck tells apart, one has to itself: Learned 23, Word2Vec 18 and FastText 17.")


def test_means_without_the_seed_that_the_settings_were_chosen_with(study, tmp_path):
    runs = json.loads((tmp_path / "study.json").read_text())["runs"]
    second = {run["variant"]: run["test"]["cider"] for run in runs if run["stage"] == FIRST and run["seed"] == 2
              and run["preset"] == "triptych"}  # fmt: skip
    told = " and ".join((", ".join(f"{VARIANTS[name].title} {second[name]:.3f}" for name in list(VARIANTS)[:2]),
                         f"FastText {second['fasttext']:.3f}"))  # fmt: skip
    assert charts.untuned(study, FIRST) == f"Without seed 1, with which the settings were chosen: {told}."
    assert charts.untuned(study, REWARD) == "" and charts.untuned(study, "nowhere") == ""


def test_means_and_deviations_are_those_of_the_runs(study, tmp_path):
    runs = json.loads((tmp_path / "study.json").read_text())["runs"]
    for stage in (FIRST, REWARD):
        table = charts.as_table(study, stage)
        for name, variant in VARIANTS.items():
            own = [run for run in runs if run["preset"] == "triptych" and (run["stage"], run["variant"]) == (stage, name)]
            values = [run["test"]["cider"] for run in own]
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


def without_cider(data):
    for row in data["summary"]:
        del row["test"]["cider"]


def runs_without_cider(data):
    for run in data["runs"]:
        del run["test"]["cider"]


def test_means_are_over_the_seeds_that_all_have(tmp_path):
    data = write_study(tmp_path)
    alone = dict(next(run for run in data["runs"] if run["variant"] == "learned"), seed=3)
    alone["test"] = alone["test"] | {"cider": 9.0}
    row = data["summary"][0]
    row["seeds"].append(3)
    data["runs"].append(alone)
    (tmp_path / "study.json").write_text(json.dumps(data))
    said = charts.verdict(read_study(tmp_path), FIRST)
    assert said == charts.verdict(_fresh(tmp_path), FIRST) and "over 2 trainings of each" in said


def _fresh(folder):
    write_study(folder)
    return read_study(folder)


def test_a_folder_of_ones_own_has_not_the_study_above_it(tmp_path):
    write_study(tmp_path)
    assert read_study(tmp_path / "mine") is None and read_study(tmp_path / "reward") is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.update(summary=[]),
        lambda data: data.update(runs=3),
        lambda data: data.update(runs=[]),
        lambda data: data["runs"].pop(0),
        lambda data: data.update(pairs=[{}]),
        lambda data: data.update(planned="many"),
        lambda data: data.update(planned=2),
        lambda data: data["changes"][0].pop("dev"),
        lambda data: data["own_words"][0].pop("learned"),
        lambda data: data.pop("preset"),
        lambda data: data.update(own_words_by_chance=[{"stage": "first"}]),
        lambda data: data.update(planned=float("inf")),
        without_cider,
        runs_without_cider,
    ],
)
def test_a_damaged_file_is_told(tmp_path, damage):
    data = write_study(tmp_path)
    damage(data)
    (tmp_path / "study.json").write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="study.json is damaged; run python -m captioner study"):
        read_study(tmp_path)
