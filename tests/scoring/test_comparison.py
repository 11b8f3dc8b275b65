"""Comparisons of decoders: against the parts called by hand, and read back from the file."""

import json
import math
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from captioner.config import VARIANTS, SearchConfig
from captioner.data.datasets import shapes
from captioner.errors import CheckpointError
from captioner.scoring import baselines
from captioner.scoring.caption_style import rare_recall, style_of
from captioner.scoring.comparison import (
    COMPARISON,
    CONSTANT,
    PEOPLE,
    Subject,
    compare,
    complete,
    fingerprint,
    load_comparison,
    save_comparison,
)
from captioner.scoring.evaluation import Evaluation, Subjects
from captioner.scoring.metrics import Scorer
from captioner.storage import read_json, remove_folder, save_folder, write_json
from support.factories import comparison

DATA = shapes(40, 12, 12)
RECORDS, TRAINING = DATA.split("dev"), DATA.split("train")
SAID = {"learned": [record.captions[0] for record in RECORDS], "fasttext": ["a red circle"] * len(RECORDS)}


@pytest.fixture(scope="module")
def found():
    scorer = Scorer([record.captions for record in RECORDS])
    captions = {name: dict(zip([record.name for record in RECORDS], texts, strict=True)) for name, texts in SAID.items()}
    evaluation = Evaluation(SearchConfig(), captions, {name: scorer.score(texts) for name, texts in SAID.items()})
    return compare({"data": "shapes"}, evaluation, Subjects(RECORDS, None, scorer, {}), TRAINING), evaluation


def test_the_parts_are_those_called_by_hand(found):
    compared, evaluation = found
    sides = baselines.folds(RECORDS)
    assert compared.differences == evaluation.differences
    assert compared.yardsticks[PEOPLE] == baselines.people(sides)
    assert compared.against_fewer == {name: baselines.against_fewer(texts, sides) for name, texts in SAID.items()}
    constant = Scorer([record.captions for record in RECORDS]).score([baselines.constant_caption(TRAINING)] * len(RECORDS))
    assert compared.yardsticks[CONSTANT].metrics == constant.metrics


def test_the_wording_of_decoders_and_of_people(found):
    compared, _ = found
    known = {tuple(caption.split()) for record in TRAINING for caption in record.captions}
    assert list(compared.wording) == ["learned", "fasttext", PEOPLE]
    said, counts = compared.wording["fasttext"], Counter(" ".join(c for one in TRAINING for c in one.captions).split())
    rare = rare_recall(SAID["fasttext"], [record.captions for record in RECORDS], counts)
    assert said == replace(style_of(SAID["fasttext"], known), **rare) and said.distinct_captions == 1
    sets = [[record.captions[place] for record in RECORDS] for place in range(len(RECORDS[0].captions))]
    assert compared.wording[PEOPLE].mean_words == pytest.approx(np.mean([style_of(one).mean_words for one in sets]))
    left = [[[*record.captions[:place], *record.captions[place + 1 :]] for record in RECORDS] for place in range(len(sets))]
    shares = [rare_recall(one, others, counts)["rare"] for one, others in zip(sets, left, strict=True)]
    assert None not in shares and compared.wording[PEOPLE].rare == pytest.approx(np.mean(shares))


OF = Subject("shapes", 12, 3, 0.7, {"learned": "1f", "fasttext": "2f"})


def test_it_is_read_back_without_a_caption_in_the_file(found, tmp_path):
    compared, _ = found
    for split in ("dev", "test"):
        save_comparison(tmp_path, split, replace(compared, of=OF))
    for split in ("dev", "test"):
        again = load_comparison(tmp_path, split)
        assert again.of == OF and vars(again) | {"of": 0} == vars(compared) | {"of": 0}
    text = (tmp_path / COMPARISON).read_text()
    assert not any(caption in text for record in (*RECORDS, *TRAINING) for caption in record.captions)


def test_an_older_file_lacks_later_figures(found, tmp_path):
    compared, _ = found
    save_comparison(tmp_path, "dev", replace(compared, of=OF))
    stored = read_json(tmp_path / COMPARISON)
    for held in stored["dev"]["wording"].values():
        for name in ("cut", "flawed", "rare", "rare_5_9", "rare_10_19", "rare_20_49"):
            del held[name]
    write_json(tmp_path / COMPARISON, stored)
    again = load_comparison(tmp_path, "dev").wording["learned"]
    assert again.repeating == compared.wording["learned"].repeating
    assert again.cut is again.flawed is again.rare is again.rare_5_9 is None


def test_without_other_captions_or_training_there_are_no_yardsticks(found):
    _, evaluation = found
    alone = tuple(type(record)(record.name, record.captions[:1], record.source) for record in RECORDS)
    compared = compare({}, evaluation, Subjects(alone, None, Scorer([record.captions for record in alone]), {}), ())
    assert compared.yardsticks == compared.against_fewer == {} and list(compared.wording) == ["learned", "fasttext"]
    assert compared.wording["learned"].copied is None


def test_it_is_tied_to_the_manifests_of_all_decoders_of_the_folder(tmp_path):
    for name in VARIANTS:
        save_folder(tmp_path / name, {"name": name.encode()})
    before = comparison(tmp_path).of
    assert before == comparison(tmp_path).of and len(set(before.decoders.values())) == 3
    (tmp_path / "learned" / "manifest.json").write_text("{}")
    assert comparison(tmp_path).of != before
    assert fingerprint(tmp_path / "learned") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert complete(tmp_path, ("learned", "word2vec", "fasttext")) and not complete(tmp_path, ("learned", "word2vec"))
    for name in ("word2vec", "fasttext"):
        remove_folder(tmp_path / name)
    assert not complete(tmp_path, ("learned",))


@pytest.mark.parametrize("content", ["[]", '{"dev": {}}', '{"dev": 3}', "no"])
def test_a_damaged_file_is_refused(content, tmp_path):
    (tmp_path / COMPARISON).write_text(content)
    with pytest.raises(CheckpointError, match=COMPARISON):
        load_comparison(tmp_path, "dev")


def pair(second: str) -> dict:
    return {"first": "learned", "second": second, "metrics": {"cider": {"value": 0.1, "low": 0.0, "high": 0.2}}}


ROD = {"metrics": {"cider": 0.5}, "intervals": {}}
SAYS = {"mean_words": 9.0, "distinct_captions": 5, "different_words": 7, "repeating": 0.0, "copied": None}


@pytest.mark.parametrize(
    "change",
    [
        {"differences": [pair("transformer")]},
        {"wording": {"learned": SAYS, "transformer": SAYS}},
        {"wording": {PEOPLE: SAYS}},
        {"yardsticks": {"the moon": ROD}},
        {"yardsticks": {PEOPLE: ROD | {"metrics": {"cider": math.inf}}}},
        {"yardsticks": {CONSTANT: ROD}},
        {"yardsticks": {PEOPLE: {"metrics": {"bleu1": 0.5}, "intervals": {}}}},
        {"against_fewer": {"transformer": ROD}},
        {"decoders": {"learned": "1f", "transformer": "2f"}},
    ],
    ids=str,
)
def test_inconsistent_names_or_numbers_are_refused(tmp_path, change):
    whole = asdict(OF) | {"differences": [pair("fasttext")], "yardsticks": {PEOPLE: ROD}}
    whole |= {"wording": {"learned": SAYS, "fasttext": SAYS}, "against_fewer": {"learned": ROD, "fasttext": ROD}}
    write_json(tmp_path / COMPARISON, {"test": whole, "dev": whole | change})
    assert load_comparison(tmp_path, "test").differences["learned", "fasttext"]["cider"].value == 0.1
    with pytest.raises(CheckpointError, match="comparison.json, dev"):
        load_comparison(tmp_path, "dev")


def test_what_was_never_compared_is_none(tmp_path):
    assert load_comparison(tmp_path, "dev") is None
    (tmp_path / COMPARISON).write_text(json.dumps({"test": {}}))
    assert load_comparison(tmp_path, "dev") is None
