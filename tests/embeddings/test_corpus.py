"""Plain text in: lines of packed and unpacked files, and what is refused before training."""

import gzip

import pytest

from embeddings.corpus import MAXIMUM_LINE, SkipGram, read_lines
from embeddings.errors import EmbeddingError


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
    ],
)
def test_bad_files_are_refused_in_a_sentence(tmp_path, data, message):
    (tmp_path / "text").write_bytes(data)
    with pytest.raises(EmbeddingError, match=message):
        list(read_lines(tmp_path / "text"))


def test_missing_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(EmbeddingError, match=r"no file .*absent\.txt"):
        list(read_lines(tmp_path / "absent.txt"))


def test_training_needs_frequent_words_and_sound_settings():
    SkipGram(minimum_count=2, window=5).check([["a", "b"], ["a"]])
    with pytest.raises(EmbeddingError, match="No word occurs 3 times in the 2 sentences"):
        SkipGram(minimum_count=3).check([["a", "b"], ["a"]])
    with pytest.raises(EmbeddingError, match="minimum_count .* but is 0"):
        SkipGram(minimum_count=0).check([["a"]])
