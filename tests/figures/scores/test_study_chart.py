"""The chart and the table of a comparison with repeated seeds, against the runs it was written from."""

import doctest

import numpy as np
import pytest

from captioner.config import FIRST, REWARD, VARIANTS
from captioner.figures.scores import study_chart as charts
from support.study_factory import record, wide_record, write_study, write_wide_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def test_means_and_deviations_are_those_of_the_runs(study):
    for stage, seeds in ((FIRST, (1, 2)), (REWARD, (1,))):
        table = charts.as_table(study, stage)
        for name, variant in VARIANTS.items():
            values = [record(stage, name, seed).metric("test", "cider") for seed in seeds]
            told = f"{np.mean(values):.3f}" + (f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else "")
            assert table.loc[variant.title, "test CIDEr"] == told
            assert table.loc[variant.title, "minutes"].startswith("5")
            assert table.loc[variant.title, "seeds"] == str(len(values))


def test_the_cider_of_a_further_data_set_stands_beside_that_of_the_first(tmp_path):
    table = charts.as_table(write_wide_study(tmp_path), REWARD)
    ciders = [name for name in table if name.endswith(" CIDEr")]
    assert ciders == ["test CIDEr", "wide test CIDEr", "dev CIDEr", "wide dev CIDEr"]
    values = [wide_record(REWARD, "learned", seed).metric("wide dev", "cider") for seed in (1, 2)]
    assert table.loc["Learned", "wide dev CIDEr"] == f"{np.mean(values):.3f} ({np.std(values, ddof=1):.3f})"


def test_the_chart_has_a_ring_for_every_run(study):
    drawn = charts.chart(study, FIRST, "cider").to_dict()
    rows = next(iter(drawn["datasets"].values()))
    assert len(rows) == 10
    assert {row["who"] for row in rows} == {"Learned", "Word2Vec", "FastText", "Random", "Word2Vec, original CNN"}
    text = charts.summary(study, FIRST, "cider")
    assert text.startswith("CIDEr on test of every run; Learned 0.5") and text.count(";") == 5


def test_the_examples():
    assert doctest.testmod(charts).failed == 0
