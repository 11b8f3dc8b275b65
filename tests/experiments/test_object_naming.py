"""How objects are named, against the captions of the Captioner and counts by hand."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.datasets import Record
from captioner.data.labels import Labelled
from captioner.experiments import object_naming
from captioner.experiments.object_naming import FORCED, FREE, ObjectNaming
from captioner.experiments.withheld import Unseen
from captioner.scoring.evaluation import Subjects, evaluate
from captioner.vision.feature_cache import FeatureCache
from support.fakes import COLOURS, Recogniser, slotted_checkpoints

CONFIG = SearchConfig(beam=2, maximum_words=8)
ZEBRA, DOG = Unseen("zebra", "zebra", frozenset({"zebra", "zebras"})), Unseen("dog", "dog", frozenset({"dog"}))


@pytest.fixture
def naming(tmp_path, monkeypatch):
    """A dog, a cat, a zebra and a zebra with a dog that have captions, a zebra called something else, and one with a label."""
    monkeypatch.setattr(object_naming, "OBJECTS", (ZEBRA, DOG))
    shown = {"dog": "dog", "cat": "cat", "zebra": "zebra", "horse": "zebra", "zebra and dog": "zebra", "labelled": "zebra"}
    paths = {}
    for number, (name, noun) in enumerate(shown.items()):
        paths[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (40, 40 + number), COLOURS[noun]).save(paths[name])
    records = [Record(f"{name}.png", (f"a {name} sits", f"the {name} runs"), paths[name]) for name in shown if name != "labelled"]
    cache = FeatureCache(tmp_path / "cache", Recogniser())
    labelled = [Labelled("labelled.png", (), paths["labelled"], "own", "zebra")]
    cache.fill(labelled)
    return ObjectNaming({"test": Subjects.of(records, cache)}, labelled, cache)


@pytest.mark.parametrize("variant", ["learned", "word2vec"])
def test_naming_is_counted_over_photographs_that_people_name_or_label_and_whose_slots_hold_the_noun(naming, variant):
    """Word2Vec can be made to copy the zebra, for which Learned has no vector."""
    captioner = Captioner.of({variant: slotted_checkpoints()[variant]}, Recogniser())
    free = evaluate(captioner, naming.subjects["test"], CONFIG)
    rows = naming.examine(captioner, variant, {"test": free})
    assert [(row["search"], row["object"]) for row in rows] == [
        (search, one) for search in (FREE, FORCED) for one in ("zebra", "dog")
    ]
    by_place = {(row["search"], row["object"]): row for row in rows}
    assert [by_place[FREE, one]["photographs"] for one in ("zebra", "dog")] == [2, 1]
    assert [by_place[FREE, one]["labelled"] for one in ("zebra", "dog")] == [1, 0]
    texts, places = free.captions[variant], {record.name: place for place, record in enumerate(naming.subjects["test"].records)}
    own = captioner.caption_seen(naming.cache.seen(naming.labelled), CONFIG)[0][variant][0].text
    assert by_place[FREE, "zebra"]["says"] == ["zebra" in texts[name].split() for name in ("zebra.png", "zebra and dog.png")]
    assert by_place[FREE, "zebra"]["labelled_named"] == ("zebra" in own.split())
    forced, records = by_place[FORCED, "zebra"], naming.subjects["test"].records
    shown = [records[places[name]] for name in ("zebra.png", "zebra and dog.png")]
    again = [captioner.force(naming.cache.seen([record]), "zebra", CONFIG)[variant] for record in shown]
    assert all("zebra" in caption.words for caption in again) if variant == "word2vec" else again == [None, None]
    assert forced["says"] == [
        "zebra" in (caption.words if caption and caption.finished else texts[record.name].split())
        for caption, record in zip(again, shown, strict=True)
    ]
    assert by_place[FREE, "dog"]["cider_object"] == pytest.approx(free.scores[variant].cider[places["dog.png"]])
    others = [free.scores[variant].cider[places[name]] for name in ("cat.png", "horse.png")]
    assert by_place[FREE, "dog"]["cider_other"] == pytest.approx(np.mean(others))
    named = {name for name, text in texts.items() if "dog" in text.split()}
    assert by_place[FREE, "dog"]["f1"] == pytest.approx(2 * len(named & {"dog.png", "zebra and dog.png"}) / (2 + len(named)))
    assert "f1" not in forced, "only photographs of the object were forced"
    followed = captioner.follow(naming.cache.seen([records[0]]), ["a", "dog", "sits"])[variant]
    again = captioner.follow(naming.cache.seen([records[0]]), ["the", "dog", "runs"])[variant]
    after = [-np.mean(caption.word_log_probabilities[2:]) for caption in (followed, again)]
    assert by_place[FREE, "dog"]["surprise_after"] == pytest.approx(np.mean(after))


def test_a_label_names_an_object_by_any_of_its_words(naming):
    records = [replace(naming.labelled[0], label=label) for label in ("zebra", "herd of zebras", "horse", "sorrel")]
    found = replace(naming, labelled=records)._named[ZEBRA]
    assert [record.label for split, record in found if split == "labelled"] == ["zebra", "herd of zebras"]


def test_decoders_without_word_slots_are_not_forced(naming):
    from captioner.model.checkpoints import EncoderMark
    from support.fakes import small_checkpoint

    captioner = Captioner.of({"learned": small_checkpoint("learned", mark=EncoderMark.of(Recogniser()))}, Recogniser())
    rows = naming.examine(captioner, "learned", {"test": evaluate(captioner, naming.subjects["test"], CONFIG)})
    assert {row["search"] for row in rows} == {FREE}
