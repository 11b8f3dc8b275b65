"""The order of an epoch: mixed as a whole where memory can hold the features, and within windows of shards beyond that."""

import hashlib
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from captioner.config_io import to_json
from captioner.training import batches
from captioner.training.batches import Examples, shards_of, shuffled, visiting_order, window
from captioner.training.run import Run
from captioner.vision.feature_cache import FeatureCache
from captioner.vocabulary import END, UNKNOWN
from support import synthetic
from support.fakes import check_equal, interrupt_reading, small_inputs, small_preset, stop_after_an_epoch, uncompiled
from support.synthetic import VIEW_NAMES, SilentEncoder

ROW = 81 * 1280 * 2  # bytes of the default encoder's grid, float16


@pytest.fixture
def in_windows(monkeypatch):
    """Shards of four rows, of which two are mixed at a time."""
    monkeypatch.setattr(batches, "SHARD_ROWS", 4)
    monkeypatch.setattr(batches, "MIXED_BYTES", 0)
    monkeypatch.setattr(batches, "WINDOW_BYTES", 2 * 4 * 9 * 6 * 2)  # of the stub encoder's grid


def test_flickr8k_is_mixed_as_a_whole_and_coco_is_not():
    assert window(6_000, 6, ROW) == 0
    assert window(118_287, 1, ROW) == window(118_287, 6, ROW) == 4 * 2**30 // (512 * ROW) > 1
    assert window(10, 1, batches.MIXED_BYTES) == 1  # A window is one shard at least.


def test_the_order_is_that_of_versions_before_windows():
    """Recorded from one: seed 1, epoch 2, twelve photographs of two views, five at a time."""
    records = tuple(synthetic.records(12))
    cache = type("Cache", (), {"row_bytes": ROW})
    drawn = list(shuffled(Examples(records, (), cache), 5, ("whole", "mirrored"), np.random.default_rng((1, 2))))
    assert [chosen.tolist() for chosen, _ in drawn] == [[6, 9, 0, 5, 3], [4, 11, 8, 10, 1], [7, 2]]
    assert ["".join(name[0] for name in names) for _, names in drawn] == ["mwmmw", "wmwmm", "mm"]


def of_two_sets(first=60, others=40):
    """Photographs of two data sets that take turns at first, as after `resplit`."""
    records = synthetic.records(first + others)
    origins = [name for pair in zip("a" * others, "b" * others, strict=True) for name in pair] + ["a"] * (first - others)
    return Examples(tuple(replace(record, origin=name) for record, name in zip(records, origins, strict=True)), (), None)


def epoch_of(examples, share, seed=1, **more):
    return batches.epoch_order(examples, share, np.random.default_rng(seed), **more).tolist()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.75, 1.5, 2.0, 3.2])
@pytest.mark.parametrize("windows", [{}, {"views": 2, "shards_at_once": 2}])
def test_a_share_of_the_other_data_sets(share, windows, monkeypatch):
    monkeypatch.setattr(batches, "SHARD_ROWS", 40)
    examples = of_two_sets()
    first, others = examples.sets
    found = epoch_of(examples, share, **windows)
    times = np.bincount(found, minlength=100)
    assert (times[first] == 1).all() and set(times[others]) == {int(share), int(np.ceil(share))}
    assert len(found) == examples.epoch_size(share) == 60 + times[others].sum() == 60 + round(40 * share)
    assert found == epoch_of(examples, share, **windows) != epoch_of(examples, share, 2, **windows)
    assert share % 1 == 0 or (times != np.bincount(epoch_of(examples, share, 2, **windows), minlength=100)).any()
    assert all(one != other for seed in range(50) for one, other in pairwise(epoch_of(examples, share, seed, **windows)))
    halves = [np.isin(half, others).mean() for half in (found[: len(found) // 2], found[len(found) // 2 :])]
    assert windows or abs(halves[0] - halves[1]) < 0.35


def test_tiny_data_sets_and_a_share():
    """Rounds of one photograph or none: nothing is lost, nothing fails."""
    examples = of_two_sets(1, 1)
    for seed in range(20):
        assert sorted(epoch_of(examples, 2.0, seed)) == [0, 1, 1] and epoch_of(examples, 0.0, seed) == [0]


def test_without_a_share_the_order_is_that_of_one_data_set():
    examples, alone = of_two_sets(), Examples(tuple(synthetic.records(100)), (), None)
    assert epoch_of(examples, 1.0) == epoch_of(alone, 1.0) == epoch_of(alone, 2.0)
    assert alone.epoch_size(2.0) == 100


def test_examples_by_data_set():
    examples = of_two_sets(3, 1)
    examples = replace(examples, captions=tuple(((number,),) for number in range(4)))
    parts = examples.by_set()
    assert [[record.origin for record in part.records] for part in parts] == [["a"] * 3, ["b"]]
    assert [part.captions for part in parts] == [(((0,),), ((2,),), ((3,),)), (((1,),),)]


def drawn(photographs, views, at_once, seed=1):
    return visiting_order(photographs, views, at_once, np.random.default_rng(seed))


SIZES = [(2_000, 6, 3), (2_000, 1, 2), (1, 6, 40), (511, 1, 1), (5_000, 2, 99)]


@pytest.mark.parametrize(("photographs", "views", "at_once"), SIZES)
def test_each_photograph_once_and_the_same_for_the_same_seed(photographs, views, at_once):
    found = drawn(photographs, views, at_once)
    assert sorted(found.tolist()) == list(range(photographs))
    assert found.tolist() == drawn(photographs, views, at_once).tolist()
    assert photographs == 1 or found.tolist() != drawn(photographs, views, at_once, seed=2).tolist()


def test_shards_are_those_of_a_cache_filled_in_one_go():
    shards = shards_of(1_000, 3)
    assert [number for shard in shards for number in shard.tolist()] == list(range(1_000))
    assert all({number * 3 // 512 for number in shard.tolist()} == {place} for place, shard in enumerate(shards))


def test_a_window_mixes_all_of_it_and_nothing_else():
    """Two shards of 512 photographs at a time."""
    found = drawn(4_096, 1, 2)
    for first in range(0, 4_096, 1_024):
        part = found[first : first + 1_024]
        shards = sorted({number // 512 for number in part.tolist()})
        assert len(shards) == 2 and len(set(part.tolist())) == 1_024
        halves = [np.isin(half // 512, shards[:1]).sum() for half in (part[:512], part[512:])]
        assert min(halves) > 200  # Of 512, half are expected.
    assert {tuple(np.unique(found[first : first + 1_024] // 512)) for first in (0, 1_024)} != {(0, 1), (2, 3)}


def test_training_reads_few_shards_at_a_time(tmp_path, monkeypatch, in_windows):
    encoder = SilentEncoder(3, 3, 6)
    monkeypatch.setattr(synthetic, "SHARD_ROWS", 4)
    synthetic.write_cache(tmp_path, 40, encoder)
    examples = Examples(tuple(synthetic.records(40)), (), FeatureCache(tmp_path, encoder))
    read = []
    monkeypatch.setattr(examples.cache._shards, "read", read.extend)
    for chosen, views in shuffled(examples, 4, VIEW_NAMES, np.random.default_rng(1)):  # A window is four photographs.
        before = len(read)
        examples.cache.rows([examples.records[number] for number in chosen], views)
        assert len({row // 4 for row in read[before:]}) <= 2
    assert len(read) == len(set(read)) == 40 and len({row // 2 for row in read}) == 40


@pytest.mark.slow
@uncompiled()
def test_a_run_in_windows_resumes_exactly(tensorflow, cache, tmp_path, monkeypatch, in_windows):
    """Interrupted within its second epoch, whose number alone decides the order when it is started anew."""
    short = small_inputs(cache, small_preset(epochs=2))
    whole = Run(short, "learned", 1, tmp_path / "whole").execute()
    stop_after_an_epoch(Run(short, "learned", 1, tmp_path / "broken"), monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_reading(short.cache, 2, patch)
        Run(short, "learned", 1, tmp_path / "broken").execute(resume=True)
    check_equal(Run(short, "learned", 1, tmp_path / "broken").execute(resume=True).variables, whole.variables)


def test_another_order_has_another_fingerprint(inputs, monkeypatch):
    before = inputs.fingerprint("learned", 1)
    own, shared = ["learned", 1, "first"], [inputs.encoder.fingerprint, inputs.vocabulary.fingerprint]
    facts = [*own, to_json(inputs.preset.up_to("first")), *shared, []]
    pictures = [[inputs.cache.key(record), record.captions] for record in (*inputs.train, *inputs.dev)]
    assert before == hashlib.sha256(json.dumps([facts, pictures]).encode()).hexdigest()[:16]
    monkeypatch.setattr(batches, "MIXED_BYTES", 0)
    marked = inputs.fingerprint("learned", 1)
    monkeypatch.setattr(batches, "WINDOW_BYTES", 2 * batches.WINDOW_BYTES)
    assert len({before, marked, inputs.fingerprint("learned", 1)}) == 3


def test_batches_follow_from_seed_and_epoch_alone(inputs, examples):
    settings, train = replace(inputs.preset.training, images_per_batch=5), examples[0]

    def batched(seed, epoch, **changes):
        return list(batches.batches(train, replace(settings, **changes), seed, epoch, ("whole", "mirrored")))

    first, again = batched(1, 1), batched(1, 1)
    assert [len(features) for features, _, _ in first] == [5, 5, 2]
    for (features, _, packed), (other, _, other_packed) in zip(first, again, strict=True):
        np.testing.assert_array_equal(features, other)
        assert all((one == two).all() for one, two in zip(packed.arrays(), other_packed.arrays(), strict=True))
    assert len({batched(seed, epoch)[0][0].tobytes() for seed, epoch in ((1, 1), (1, 2), (2, 1))}) == 3
    targets = sorted(word for _, _, packed in first for word in packed.targets)
    assert targets == sorted(word for group in train.captions for caption in group for word in (*caption, END))
    dropped = np.concatenate([packed.words == UNKNOWN for _, _, packed in batched(1, 1, word_dropout=0.5)])
    assert 0.4 < dropped.mean() < 0.6
    assert not any((packed.words == UNKNOWN).any() for _, _, packed in batched(1, 1, word_dropout=0.0))
