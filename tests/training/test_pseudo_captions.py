"""Which captions of labelled photographs are learned from, and photographs of many labels in one batch."""

import pytest
from PIL import Image

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.labels import Labelled
from captioner.training.pseudo_captions import choose, told, write_captions
from captioner.vision.feature_cache import FeatureCache
from support.fakes import COLOURS, Recogniser, slotted_checkpoints


def caption(text, likelihood=-1.0, finished=True):
    """A caption as it is written; `likelihood` is per word, the end counted."""
    words = text.split()
    end = likelihood if finished else None
    return {"text": text, "words": words, "log_probability": likelihood * (len(words) + 1), "end_log_probability": end}


CAT, TABBY, DOG = (Labelled(f"{noun}.png", (), None, "own", noun) for noun in ("cat", "tabby", "dog"))


def written(**captions):
    """What decoders wrote, by label."""
    return {
        f"{noun}.png": {"captions": {str(number): [one] for number, one in enumerate(found)}} for noun, found in captions.items()
    }


def test_a_caption_names_the_object_once_and_is_whole():
    bad = (
        caption("a dog on a bed"), caption("a cat chases a cat"), caption("a cat sleeps"), caption("a cat on the"),
        caption("a cat on the bed", finished=False), caption("a cat and a bed and a bed"),
    )  # fmt: skip
    assert choose([CAT], written(cat=bad), 9) == {}
    good = caption("two cats on a bed")
    assert choose([CAT], written(cat=[*bad, good, good]), 9) == {CAT: ["two cats on a bed"]}


def test_the_likeliest_of_every_object_are_kept_whatever_their_length():
    """A tabby is a cat."""
    cat = [caption("a cat on a very large bed", -0.5), caption("the cat on a bed", -0.9), caption("a dog on a bed", -0.1)]
    tabby = [caption("a cat on a dog", -0.7), caption("a cat on a bed", -1.5)]
    dog = [caption("a dog on grass", -1.6)]
    records, found = [CAT, TABBY, DOG], written(cat=cat, tabby=tabby, dog=dog)
    own = {DOG: ["a dog on grass"]}
    assert choose(records, found, 1) == {CAT: ["a cat on a very large bed"]} | own
    assert choose(records, found, 2) == {CAT: ["a cat on a very large bed"], TABBY: ["a cat on a dog"]} | own
    every = choose(records, found, 4)
    assert every[CAT] == ["a cat on a very large bed", "the cat on a bed"] and len(every[TABBY]) == 2 and [*every] == records


def test_photographs_of_many_labels_are_captioned_at_once_as_each_alone(tmp_path):
    records, kinds = [], (("dog", "zebra"), ("cat", "room with dog or cat"), ("zebra", "dog"), ("dog", "cat"))
    for number, (colour, label) in enumerate(kinds):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 40 + number), COLOURS[colour]).save(path)
        records.append(Labelled(path.name, (), path, "own", label))
    captioner, cache = Captioner(Recogniser(), slotted_checkpoints()), FeatureCache(tmp_path / "cache", Recogniser())
    cache.fill(records)
    config = SearchConfig(maximum_words=6, alternatives=0)
    found = list(write_captions(captioner, records, cache, config, tmp_path / "out", {}))
    assert [one["image"] for one in found] == [record.name for record in records]
    for record, one in zip(records, found, strict=True):
        (alone,) = captioner.caption_seen(cache.seen([record]), config, told=told(record.label)[:2])
        assert [word["word"] for word in one["words_seen"]] == [word.word for word in alone["learned"][0].words_seen]
        for name, (best,) in one["captions"].items():
            assert best["text"] == alone[name][0].text
            assert best["log_probability"] == pytest.approx(alone[name][0].log_probability, abs=1e-4)
    assert found[0]["captions"]["word2vec"] != found[0]["captions"]["learned"], "Learned has no vector for the zebra's word."
