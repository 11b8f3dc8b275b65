"""Word2Vec: training, and reading files in all their spellings, checked against gensim's own writer."""

import gzip

import numpy as np
import pytest
from gensim.models import KeyedVectors

from embeddings import files, word2vec
from embeddings.corpus import SkipGram
from embeddings.errors import EmbeddingError

SENTENCES = [["a", "dog", "runs"], ["a", "cat", "sleeps"], ["the", "dog", "sleeps"], ["the", "cat", "runs", "café"]] * 6


@pytest.fixture
def written():
    """Vectors as gensim holds them, for its own writer."""
    vectors = KeyedVectors(3)
    vectors.add_vectors(["dog", "café", "\x0b"], np.array([[1, 2, 3], [-0.5, 1e-7, 4], [7, 8, 9]], np.float32))
    return vectors


def test_training_keeps_frequent_words_and_the_shape():
    vectors = word2vec.train([*SENTENCES, ["once"]], SkipGram(dimensions=8, epochs=2))
    assert set(vectors.words) == {"a", "the", "dog", "cat", "runs", "sleeps", "café"}
    assert vectors.matrix.shape == (7, 8) and vectors.matrix.dtype == np.float32
    vector, origin = vectors.lookup("dog")
    assert origin == "trained" and np.array_equal(vector, vectors.matrix[vectors.words.index("dog")])
    assert vectors.lookup("once") is None and "once" not in vectors


def test_words_in_the_same_company_come_out_alike():
    colours, animals = ["red", "blue", "green"], ["dog", "cat", "cow"]
    random = np.random.default_rng(0)
    sentences = [["paint", str(random.choice(colours)), "wall"] for _ in range(300)]
    sentences += [["feed", str(random.choice(animals)), "hay"] for _ in range(300)]
    vectors = word2vec.train(sentences, SkipGram(dimensions=16, epochs=40))
    units = {word: vectors.lookup(word)[0] / np.linalg.norm(vectors.lookup(word)[0]) for word in colours + animals}
    assert units["red"] @ units["blue"] > units["red"] @ units["dog"]
    assert units["cat"] @ units["cow"] > units["cat"] @ units["green"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_reads_what_gensim_writes(tmp_path, written, binary, packed):
    path = tmp_path / "vectors"
    written.save_word2vec_format(str(path), binary=binary)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    vectors = word2vec.read(path)
    assert vectors.words == ("dog", "café", "\x0b")
    np.testing.assert_array_equal(vectors.matrix, written.vectors)
    limited = word2vec.read(path, limit_to={"café", "absent"})
    assert limited.words == ("café",)
    np.testing.assert_array_equal(limited.matrix, written.vectors[1:2])


def test_reads_the_other_spellings(tmp_path):
    row = np.arange(2, dtype="<f4").tobytes()
    (tmp_path / "lines.bin").write_bytes(b"2 2\nred " + row + b"\nblue " + row + b"\n")
    assert word2vec.read(tmp_path / "lines.bin").words == ("red", "blue")
    (tmp_path / "open.vec").write_text("2 2\nred 0.5 1e-3 \nblue 1 2")
    assert word2vec.read(tmp_path / "open.vec").matrix.tolist() == [[0.5, pytest.approx(0.001)], [1.0, 2.0]]


def test_large_files_are_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_CHUNK", 1000)
    matrix = np.random.default_rng(0).normal(size=(300, 15)).astype(np.float32)
    vectors = KeyedVectors(15)
    vectors.add_vectors([f"word{number}" for number in range(300)], matrix)
    for binary in (True, False):
        vectors.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
        np.testing.assert_array_equal(word2vec.read(tmp_path / "vectors").matrix, matrix)


ONE_ROW = np.ones(2, "<f4").tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "does not start with the number of words"),
        (b"1" * 100_000, "does not start with the number of words"),
        (b"1099511627776 300\n" + b"x" * 50, "too short"),
        (b"1 100000\na 1\n", "100,000 dimensions"),
        (b"0 2\n", "claims 0 words"),
        (b"2 2\na " + ONE_ROW + b"b " + ONE_ROW[:-1], "ends or is damaged at word 2 of 2"),
        (b"1 2\n" + b"a" * 9000 + b" " + ONE_ROW, "ends or is damaged at word 1"),
        (b"1 2\na " + np.array([1, np.nan], "<f4").tobytes(), "'a'.*is not 2 finite numbers"),
        (b"2 2\na 1 2\nb 1\n", "'b'.*is not 2 finite numbers"),
        (b"2 2\na 1 2\nb 1 two\n", "'b'.*is not 2 finite numbers"),
        (b"2 2\na 1 2\nb 1e99 2\n", "'b'.*is not 2 finite numbers"),
        (b"2 2\na 1 2\n       \n", "vector of ''.*is not 2 finite numbers"),
        (b"3 2\na 1.25 2.25\nb 1 2", "ends or is damaged at word 3 of 3"),
        (b"2 2\na 1 2\n" + b"b" * 9000, "ends or is damaged at word 2 of 2"),
        (gzip.compress(b"2 2\na 1 2\nb 1 2\n", mtime=0)[:-12], "damaged gzip file"),
        (gzip.compress(b"2 2\na 1 2\nb 1 2\n", mtime=0)[:15] + b"\xff" * 20, "damaged gzip file|cannot be read"),
        (gzip.compress(b"9000000 300\n" + b"a" * 30, mtime=0), "too short"),
    ],
)
def test_hostile_files_are_refused(tmp_path, data, message):
    (tmp_path / "vectors.bin").write_bytes(data)
    with pytest.raises(EmbeddingError, match=message):
        word2vec.read(tmp_path / "vectors.bin")


def test_files_without_any_wanted_word_or_without_a_file_are_refused(tmp_path):
    (tmp_path / "a.vec").write_text("1 2\na 1 2\n")
    with pytest.raises(EmbeddingError, match="none of the 1 words"):
        word2vec.read(tmp_path / "a.vec", limit_to={"b"})
    for missing in (tmp_path, tmp_path / "b.vec", "x" * 5000):
        with pytest.raises(EmbeddingError, match="There is no file"):
            word2vec.read(missing)
