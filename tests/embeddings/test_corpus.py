"""Lines of text files, and what both trainers share: checks before training, and equal bits for equal seeds."""

import gzip
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embeddings import fasttext, word2vec
from embeddings.corpus import MAXIMUM_LINE, SkipGram, read_lines
from embeddings.errors import EmbeddingError

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 9
SMALL = SkipGram(dimensions=8, epochs=2, buckets=100)
TRAIN_ELSEWHERE = """
import sys
from embeddings import fasttext, word2vec
from embeddings.corpus import SkipGram
sentences = [["a", "dog", "runs"], ["a", "cat", "sleeps"]] * 9
vectors = globals()[sys.argv[1]].train(sentences, SkipGram(dimensions=8, epochs=2, buckets=100))
sys.stdout.buffer.write(vectors.matrix.tobytes())
"""
both = pytest.mark.parametrize("trainer", [word2vec, fasttext], ids=["word2vec", "fasttext"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_come_without_their_ends(tmp_path, pack):
    path = tmp_path / "text"
    path.write_bytes(pack("\ufeffA dog.\r\n\nTwo cafés".encode()))
    assert list(read_lines(path)) == ["A dog.", "", "Two cafés"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nbad \xff\n", "Line 2 of .* is not UTF-8"),
        (b"x" * (MAXIMUM_LINE + 1), "Line 1 of .* is longer than a million bytes"),
        (gzip.compress(b"text" * 1000, mtime=0)[:-9], "damaged gzip file"),
        (b"\x1f\x8b\x08", "damaged gzip file"),
        (None, r"no file .*text"),
    ],
)
def test_bad_files_are_refused(tmp_path, data, message):
    if data:
        (tmp_path / "text").write_bytes(data)
    with pytest.raises(EmbeddingError, match=message):
        list(read_lines(tmp_path / "text"))


@both
@pytest.mark.parametrize(
    ("sentences", "changes", "message"),
    [
        ([], {}, "No word occurs 2 times in the 0 sentences"),
        ([["a", "b"], ["a"]], {"minimum_count": 3}, "No word occurs 3 times in the 2 sentences.*lower minimum_count"),
        (SENTENCES, {"window": 0}, "setting window .* must be 1 or more, but is 0"),
        (SENTENCES, {"buckets": 0}, "setting buckets .* but is 0"),
        (SENTENCES, {"seed": -1}, "The seed must be"),
        ([["two words", "b"]] * 3, {}, "'two words' is not one word"),
        ([["new\nline", "b"]] * 3, {}, "is not one word"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(trainer, sentences, changes, message):
    with pytest.raises(EmbeddingError, match=message):
        trainer.train(sentences, replace(SMALL, **changes))


@pytest.mark.slow
@pytest.mark.process
@both
def test_a_seed_repeats_bit_for_bit_in_any_process(trainer):
    first, again, other = (trainer.train(SENTENCES, replace(SMALL, seed=seed)).matrix for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    command = [sys.executable, "-c", TRAIN_ELSEWHERE, trainer.__name__.split(".")[-1]]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "1"}, capture_output=True, check=True)
    assert done.stdout == first.tobytes()
