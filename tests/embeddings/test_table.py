"""Tables of word vectors: how rows are made, what is stored, and what is refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from embeddings.errors import EmbeddingError
from embeddings.table import EmbeddingTable, build_table, learned_start
from support.vectors import learned

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
WORDS = (*SPECIAL, "dog", "cat", "dogs", "zebra")
KNOWN = {
    "dog": (np.array([3.0, 1.0, 0.0, 1.0]), "trained"),
    "cat": (np.array([1.0, 1.0, 2.0, 1.0]), "trained"),
    "dogs": (np.array([4.0, 1.0, 0.0, 1.0]), "subwords"),
}


def built(**changes):
    settings = {"words": WORDS, "special_words": SPECIAL, "lookup": KNOWN.get, "row_scale": 0.5, "seed": 7, "source": "By hand."}
    return build_table(**settings | changes)


def files(words=("a", "b"), vectors=None, **facts):
    vectors = np.ones((2, 3), np.float16) if vectors is None else vectors
    plain = {"words": list(words), "origins": ["trained"] * len(words), "source": "By hand."} | facts
    return {"table.safetensors": save({"vectors": vectors}), "table.json": json.dumps(plain).encode()}


def test_rows_are_centred_and_scaled_by_one_factor():
    # The mean of dog and cat is (2, 1, 1, 1), which leaves (1, 0, -1, 0) and its opposite, of size sqrt(1/2).
    factor = 0.5 / np.sqrt(0.5)
    table = built()
    np.testing.assert_allclose(table.vector("dog"), factor * np.array([1, 0, -1, 0]), atol=1e-3)
    np.testing.assert_allclose(table.vector("cat"), factor * np.array([-1, 0, 1, 0]), atol=1e-3)
    np.testing.assert_allclose(table.vector("dogs"), factor * np.array([2, 0, -1, 0]), atol=1e-3)
    np.testing.assert_allclose(table.placement.place(np.array([3.0, 1, 0, 1])), table.vector("dog"), atol=1e-3)


def test_only_padding_is_zero_and_random_rows_have_the_same_size():
    words = (*WORDS, *(f"unknown{number}" for number in range(400)))
    table = built(words=words)
    assert not table.vector("<pad>").any()
    others = table.vectors[1:]
    assert len(np.unique(others, axis=0)) == len(others)
    missing = table.vectors[[origin == "missing" for origin in table.origins]]
    assert np.sqrt((missing**2).mean()) == pytest.approx(0.5, rel=0.1)
    assert table.coverage() == {"trained": 2, "subwords": 1, "special": 4, "missing": 401, "learned": 0}


def test_seed_decides_the_random_rows_and_special_rows_do_not_depend_on_what_is_missing():
    assert np.array_equal(built().vectors, built().vectors)
    assert not np.array_equal(built().vector("<unk>"), built(seed=8).vector("<unk>"))
    fuller = built(lookup=lambda word: KNOWN.get(word, KNOWN["dog"]))
    assert np.array_equal(built().vectors[:4], fuller.vectors[:4])


def test_a_source_that_knows_no_word_is_refused():
    with pytest.raises(EmbeddingError, match="Only 0 of the vocabulary's words.*By hand"):
        built(lookup=lambda word: None)
    with pytest.raises(EmbeddingError, match="Only 1 of"):
        built(lookup=lambda word: KNOWN["dog"] if word == "dog" else None)


def test_learned_start_has_the_scale_and_zero_padding():
    table = learned_start([*SPECIAL, *map(str, range(200))], 50, 0.2, seed=3)
    assert not table.vectors[0].any()
    assert np.sqrt((table.vectors[1:] ** 2).mean()) == pytest.approx(0.2, rel=0.03)
    assert set(table.origins) == {"learned"}
    assert np.array_equal(table.vectors, learned_start(table.words, 50, 0.2, seed=3).vectors)


def test_vectors_are_a_read_only_copy():
    given = np.ones((2, 3), float)
    table = learned(given, ("a", "b"))
    given[:] = 2.0
    assert table.vectors.max() == 1.0 and table.dimensions == 3
    with pytest.raises(ValueError, match="read-only"):
        table.vectors[0, 0] = 5.0
    assert "a" in table and "wolf" not in table
    with pytest.raises(EmbeddingError, match="'wolf'"):
        table.vector("wolf")


def test_a_built_table_is_stored_without_loss(tmp_path):
    table = built()
    for name, data in table.to_files().items():
        (tmp_path / name).write_bytes(data)
    again = EmbeddingTable.load(tmp_path)
    assert (again.words, again.origins, again.source) == (table.words, table.origins, table.source)
    assert again.vectors.dtype == np.float32 and np.array_equal(again.vectors, table.vectors)
    assert again.placement.factor == table.placement.factor
    assert np.array_equal(again.placement.offset, table.placement.offset)
    assert EmbeddingTable.from_files(learned(np.eye(2)).to_files()).placement is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (files(words=("a", "a")), "names 'a' twice"),
        (files(words=("a", "b", "c")), r"3 words needs as many rows.*\(2, 3\)"),
        (files(words=("a", 5)), "5 is none"),
        (files(words=("a", "\ud800")), "is none"),
        (files(words=()), "needs a word"),
        (files(origins=["trained", "invented"]), "needs an origin"),
        (files(origins=["trained"]), "needs an origin"),
        (files(source=None), "no usable 'source'"),
        (files(vectors=np.array([[1, np.nan]] * 2, np.float16)), "vector of 'a'.*not finite"),
        (files(vectors=np.ones((2, 3), np.float32)), "should be float16 of 2 axes, but is float32"),
        (files(vectors=np.ones((2, 0), np.float16)), "shape"),
        (files(factor=1.0), "should hold offset, vectors, but holds vectors"),
        ({"table.json": b"{}"}, "table.safetensors is missing"),
        (files() | {"table.json": b"[" * 100_000}, "not JSON"),
        (files() | {"table.json": b"[1]"}, "holds a list"),
        (files() | {"table.json": b"\xff"}, "not JSON"),
        (files() | {"table.safetensors": files()["table.safetensors"][:-1]}, "not a safetensors file"),
    ],
)
def test_damaged_files_are_refused(broken, message):
    with pytest.raises(EmbeddingError, match=message):
        EmbeddingTable.from_files(broken)


@pytest.mark.parametrize("factor", [float("nan"), 3, "1", True])
def test_damaged_placements_are_refused(factor):
    broken = built().to_files()
    broken["table.json"] = json.dumps(json.loads(broken["table.json"]) | {"factor": factor}).encode()
    with pytest.raises(EmbeddingError, match="damaged"):
        EmbeddingTable.from_files(broken)


def test_missing_and_oversized_files_are_refused(tmp_path):
    with pytest.raises(EmbeddingError, match=r"no file .*table\.safetensors"):
        EmbeddingTable.load(tmp_path)
    with (tmp_path / "table.safetensors").open("wb") as stream:
        stream.truncate(2**30)
    with pytest.raises(EmbeddingError, match="1024 MB"):
        EmbeddingTable.load(tmp_path)


def test_fingerprints_tell_tables_apart():
    table = built()
    assert EmbeddingTable.from_files(table.to_files()).fingerprint == table.fingerprint == built().fingerprint
    renamed = EmbeddingTable((*WORDS[:-1], "okapi"), table.vectors, table.origins, table.source)
    assert len({table.fingerprint, built(seed=8).fingerprint, renamed.fingerprint}) == 3
