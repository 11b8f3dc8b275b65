"""FastText: training, pieces of words and pretrained files, checked against the fastText module itself."""

import struct
import tempfile

import fasttext as reference
import numpy as np
import pytest

from embeddings import fasttext
from embeddings.corpus import SkipGram
from embeddings.errors import EmbeddingError
from embeddings.subwords import Pieces, Subwords, keep
from embeddings.table import build_table

SENTENCES = [["a", "dog", "runs"], ["the", "puppy", "is", "running"], ["a", "naïve", "café"], ["snow", "boarder"]] * 5
SMALL = SkipGram(dimensions=8, epochs=2, buckets=300)
UNSEEN = ["dogs", "runner", "snowboarder", "naïveté", "日本語", "x", "🐕dog"]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """A model as the fastText module itself trains and writes it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "text").write_text("".join(" ".join(sentence) + "\n" for sentence in SENTENCES), encoding="utf-8")
    settings = {"dim": 8, "minCount": 2, "bucket": 300, "minn": 2, "maxn": 5, "thread": 1, "verbose": 0}
    model = reference.train_unsupervised(str(folder / "text"), **settings)
    model.save_model(str(folder / "model.bin"))
    return model, folder / "model.bin"


@pytest.fixture(scope="module")
def vectors():
    return fasttext.train(SENTENCES, SMALL)


def test_training_keeps_frequent_words_and_no_end_of_sentence(vectors):
    assert set(vectors.words) == {word for sentence in SENTENCES for word in sentence}
    assert vectors.dimensions == 8 and "dog" in vectors and "</s>" not in vectors
    assert vectors.lookup("dog")[1] == "trained" and vectors.lookup("dogs")[1] == "subwords"
    assert vectors.lookup("日本語") is None and vectors.subwords.known_ngrams("日本語") == []
    assert vectors.subwords.known_ngrams("dogs") == ["<do", "<dog", "dog"]


def test_training_is_silent_and_leaves_nothing_behind(capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fasttext.train(SENTENCES, SMALL)
    monkeypatch.setattr(reference, "train_unsupervised", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no memory")))
    with pytest.raises(EmbeddingError, match="could not train on the 20 sentences: no memory"):
        fasttext.train(SENTENCES, SMALL)
    assert capfd.readouterr() == ("", "") and not list(tmp_path.iterdir())
    assert reference.FastText.unsupervised_default["seed"] == 0


def test_a_model_file_gives_fasttexts_own_vectors(model_file):
    model, path = model_file
    read = fasttext.read(path)
    assert set(read.words) == set(model.get_words()) - {"</s>"}
    for word in ["dog", "café", "dogs", "runner", "boarders"]:
        vector, origin = read.lookup(word)
        np.testing.assert_allclose(vector, model.get_word_vector(word), atol=1e-6)
        assert origin == ("trained" if word in model.get_words() else "subwords")


def test_pieces_and_composed_vectors_are_fasttexts_own(model_file):
    model, path = model_file
    subwords = fasttext.read(path).subwords
    for word in UNSEEN:
        ngrams, rows = model.get_subwords(word)
        assert subwords.ngrams(word) == ngrams
        assert subwords.pieces.rows(word) == [row - len(model.get_words()) for row in rows]
        np.testing.assert_allclose(subwords.vector(word), model.get_word_vector(word), atol=2e-4)


def test_composed_vectors_share_the_tables_space_and_are_stored_without_loss(vectors):
    table = build_table(["<pad>", *vectors.words, "dogs"], ["<pad>"], vectors.lookup, 0.1, 0, vectors.source)
    subwords = vectors.subwords.placed(table.placement)
    assert table.origin("dogs") == "subwords"
    np.testing.assert_allclose(subwords.vector("dogs"), table.vector("dogs"), atol=1e-3)
    again = Subwords.from_bytes(subwords.to_bytes())
    assert again.ngrams("dogs") == subwords.ngrams("dogs") and again.known_ngrams("dogs") == subwords.known_ngrams("dogs")
    np.testing.assert_array_equal(again.vector("dogs"), subwords.vector("dogs"))


def test_too_many_buckets_are_cut_to_the_most_used():
    pieces = Pieces(1000, 3, 3)
    matrix = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    small = keep(pieces, matrix, ["dog", "dot", "dogs"], maximum_bytes=24)
    used = [bucket for word in ("dog", "dot", "dogs") for bucket in pieces.rows(word)]
    kept = set(small.buckets.tolist())
    assert len(kept) == 2 and min(used.count(bucket) for bucket in kept) >= 2
    ngrams = dict(zip(small.ngrams("dog"), pieces.rows("dog"), strict=True))
    assert small.known_ngrams("dog") == [ngram for ngram, bucket in ngrams.items() if bucket in kept]
    expected = matrix[[bucket for bucket in ngrams.values() if bucket in kept]].mean(0)
    np.testing.assert_allclose(small.vector("dog"), expected, atol=2e-3)
    with pytest.raises(EmbeddingError, match="no n-gram of 'xyz'"):
        small.vector("xyz")


def test_subwords_that_are_not_finite_are_refused():
    with pytest.raises(EmbeddingError, match="not finite"):
        keep(Pieces(2, 3, 3), np.array([[1.0, np.nan], [1.0, 2.0]]), ["dog"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buckets", np.array([5, 1], np.int32)),
        ("buckets", np.array([1], np.int32)),
        ("seen", np.array([5, 1], np.uint32)),
        ("pieces", np.array([300, 0, 6], np.int64)),
        ("pieces", np.array([300, 3, 2**40], np.int64)),
        ("pieces", np.array([3], np.int64)),
        ("offset", np.zeros(5, np.float32)),
        ("factor", np.array([np.inf])),
        ("vectors", np.array([[np.nan], [0]], np.float16)),
        ("vectors", np.zeros((2, 1), np.float32)),
    ],
)
def test_damaged_subwords_are_refused(name, value):
    from safetensors.numpy import save

    good = {"vectors": np.zeros((2, 1), np.float16), "buckets": np.array([1, 5], np.int32), "seen": np.array([7, 9], np.uint32)}
    good |= {"pieces": np.array([300, 3, 6], np.int64), "offset": np.zeros(1, np.float32), "factor": np.ones(1)}
    assert Subwords.from_bytes(save(good)).dimensions == 1
    with pytest.raises(EmbeddingError, match=r"subwords\.safetensors"):
        Subwords.from_bytes(save(good | {name: value}))


def test_vec_files_have_no_pieces(tmp_path):
    (tmp_path / "small.vec").write_text("2 2\ndog 1 2\ncat 3 4\n")
    read = fasttext.read(tmp_path / "small.vec", limit_to=["dog"])
    assert read.subwords is None and read.lookup("dogs") is None
    vector, origin = read.lookup("dog")
    assert vector.tolist() == [1, 2] and origin == "trained"


def test_limits_count_other_words_as_never_seen(model_file):
    read = fasttext.read(model_file[1], limit_to=["dog"])
    assert read.words == ("dog",) and read.lookup("runs")[1] == "subwords"


def _changed(data, place, kind, value):
    changed = bytearray(data)
    struct.pack_into(kind, changed, place, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:4], "do not fit together"),
        (lambda data: data[:130], "do not fit together"),
        (lambda data: data[: len(data) // 3], "do not fit together"),
        (lambda data: _changed(data, 4, "<i", 99), "not a fastText model of word vectors"),
        (lambda data: _changed(data, 8, "<i", 2**31 - 1), "do not fit together"),
        (lambda data: _changed(data, 8, "<i", 9), "do not fit together"),
        (lambda data: _changed(data, 36, "<i", 3), "not a fastText model of word vectors"),
        (lambda data: _changed(data, 40, "<i", 2**31 - 1), "do not fit together"),
        (lambda data: _changed(data, 48, "<i", 2**31 - 1), "do not fit together"),
        (lambda data: _changed(data, 68, "<i", 2**31 - 1), "do not fit together"),
        (lambda data: _changed(data, 68, "<i", 3), "do not fit together|quantized"),
        (lambda data: b"\0" * len(data), "does not start with the number of words"),
    ],
)
def test_damaged_models_are_refused(tmp_path, model_file, change, message):
    path = tmp_path / "damaged.bin"
    path.write_bytes(change(model_file[1].read_bytes()))
    with pytest.raises(EmbeddingError, match=message):
        fasttext.read(path)


def test_vectors_that_are_not_finite_are_refused_by_name(tmp_path, model_file):
    model, path = model_file
    data, values = path.read_bytes(), model.get_input_matrix()[model.get_word_id("dog")].tobytes()
    (tmp_path / "nan.bin").write_bytes(_changed(data, data.index(values), "<f", np.nan))
    with pytest.raises(EmbeddingError, match="vector of 'dog'.*not finite"):
        fasttext.read(tmp_path / "nan.bin").lookup("dog")
