"""People and a constant caption as baselines, against cases worked by hand and against the scorer called by hand."""

from pathlib import Path

import numpy as np
import pytest

from captioner.data.datasets import Record, shapes
from captioner.scoring import baselines
from captioner.scoring.baselines import against_fewer, constant_caption, folds, people
from captioner.scoring.metrics import METRICS, score


def record(*captions: str) -> Record:
    return Record(f"{captions[0]}.jpg", captions, Path("nowhere"))


SCENES = [
    record("a black dog runs fast", "a black dog runs fast", "the cat"),
    record("two men sit on chairs", "some people sit", "two men sit on chairs", "a fourth"),
]


def test_each_caption_is_scored_against_the_others_of_its_photograph():
    found = folds(SCENES)
    assert [fold.captions for fold in found] == [
        ["a black dog runs fast", "two men sit on chairs"],
        ["a black dog runs fast", "some people sit"],
        ["the cat", "two men sit on chairs"],
    ]
    # All words are in the references; then one of three of "some people sit"; then none of "the cat", and brevity counts.
    by_hand = [1, (5 + 1) / 8, 5 / 7 * np.exp(1 - 10 / 7)]
    assert [fold.scorer.score(fold.captions).metrics["bleu1"] for fold in found] == pytest.approx(by_hand)
    assert folds([*SCENES, record("alone")]) == []


def test_the_score_of_people_is_the_mean_over_their_captions():
    records = shapes(1, 30, 1).split("dev")
    fewest = min(len(one.captions) for one in records)
    by_hand = [
        score([one.captions[place] for one in records], [[*one.captions[:place], *one.captions[place + 1 :]] for one in records])
        for place in range(fewest)
    ]
    found = people(folds(records))
    for name in METRICS:
        assert found.metrics[name] == pytest.approx(np.mean([metrics[name] for metrics in by_hand]))
        low, high = found.intervals[name]
        assert low <= found.metrics[name] <= high and low < high


def test_decoders_are_scored_against_as_few_captions():
    sides = folds(SCENES)
    said = ["the cat", "some people sit"]
    found = against_fewer(said, sides)
    assert found.metrics["rouge_l"] == pytest.approx(np.mean([side.scorer.score(said).metrics["rouge_l"] for side in sides]))
    full = score(said, [one.captions for one in SCENES])
    assert full["bleu1"] == pytest.approx(1.0) and found.metrics["bleu1"] < full["bleu1"]


def test_the_constant_caption_is_frequent_and_fits_many():
    training = [record("a dog runs on grass", "a brown dog runs on grass"), record("a dog runs on grass", "a dog sits on grass")]
    training += [record("odd words", "odd words"), record("a cat on grass", "a dog runs by")]
    assert constant_caption(training) == "a dog runs on grass"


def test_without_a_frequent_caption_every_caption_is_tried():
    training = [record("a dog on grass", "nothing"), record("a dog runs on grass", "rain"), record("a dog on a lawn", "sky")]
    assert constant_caption(training) == max(
        sorted(caption for one in training for caption in one.captions),
        key=lambda caption: score([caption] * 3, [one.captions for one in training])["cider"],
    )


def test_the_judges_are_limited_and_spread(monkeypatch):
    scorer, asked = baselines.Scorer, []
    monkeypatch.setattr(baselines, "JUDGES", 4)
    monkeypatch.setattr(baselines, "Scorer", lambda references: asked.append(references) or scorer(references))
    constant_caption([record(f"caption {number}", "same") for number in range(10)])
    assert [references[0] for references in asked[0]] == ["caption 0", "caption 3", "caption 6", "caption 9"]
