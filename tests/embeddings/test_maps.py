"""Maps of words: PCA against the covariance matrix, t-SNE by what it keeps, alignment of maps, and damaged files."""

import json
from pathlib import Path

import numpy as np
import pytest

from embeddings.errors import EmbeddingError
from embeddings.maps import COUNT, METHODS, WordMap, draw_maps, faithfulness, map_2d, maps_to_json, nearest_drawn, read_maps
from embeddings.table import EmbeddingTable
from support.vectors import learned

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


@pytest.fixture(scope="module")
def clusters():
    """Two tables of three clouds of twelve words, the second one turned in its ten dimensions."""
    random = np.random.default_rng(5)
    vectors = np.repeat(np.eye(10)[:3], 12, axis=0) + random.normal(0, 0.05, (36, 10))
    turn = np.linalg.qr(random.normal(size=(10, 10)))[0]
    return {"one": learned(vectors), "other": learned(vectors @ turn)}


@pytest.fixture(scope="module")
def drawn(clusters):
    return draw_maps(clusters)


def test_pca_agrees_with_the_covariance_matrix():
    vectors = np.random.default_rng(2).normal(size=(30, 5)) * [9, 1, 4, 1, 1]
    table = learned(vectors)
    found = map_2d(table, table.words)
    values = np.linalg.eigvalsh(np.cov(table.vectors.astype(float).T))[::-1]
    np.testing.assert_allclose(found.explained, values[:2] / values.sum(), rtol=1e-5)
    np.testing.assert_allclose(found.positions.var(0, ddof=1), values[:2], rtol=1e-5)
    assert np.array_equal(found.positions, map_2d(table, table.words).positions)


def test_pca_of_one_direction_or_one_point():
    line = map_2d(learned([[1, 1], [2, 2], [5, 5]]), ["word0", "word1", "word2"])
    assert line.explained == (pytest.approx(1.0), pytest.approx(0.0))
    assert map_2d(learned(np.ones((3, 1))), ["word0", "word1", "word2"]).explained == (0.0, 0.0)


def test_tsne_keeps_clouds_apart(drawn):
    found = drawn["one"].methods["tsne"]
    clouds = found.positions.reshape(3, 12, 2)
    within = np.linalg.norm(clouds - clouds.mean(1, keepdims=True), axis=-1).max()
    gaps = np.linalg.norm(clouds.mean(1)[:, None] - clouds.mean(1), axis=-1)[np.triu_indices(3, 1)]
    assert found.explained is None and gaps.min() > 2 * within


@pytest.mark.parametrize(
    ("words", "method", "message"),
    [
        (["word0", "word1"], "pca", "3 words or more, but 2"),
        (["word0"] * 3, "umap", "no map 'umap'; choose pca or tsne"),
        (["word0", "word1", "elf"], "tsne", "'elf'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(words, method, message):
    with pytest.raises(EmbeddingError, match=message):
        map_2d(learned(np.eye(4)), words, method)


def test_maps_of_a_turned_table_lie_on_the_first_ones(drawn):
    one, other = (drawn[name].methods["pca"].positions for name in ("one", "other"))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_turning_changes_no_distance_and_a_map_repeats(clusters, drawn):
    alone = map_2d(clusters["other"], clusters["other"].words, "tsne").positions
    turned = drawn["other"].methods["tsne"].positions
    gaps = [np.linalg.norm(points[:, None] - points, axis=-1) for points in (alone, turned)]
    np.testing.assert_allclose(*gaps, atol=1e-6)
    first = drawn["one"].methods["tsne"].positions
    first = first - first.mean(0)
    # Any further rotation fits worse.
    for angle in (-0.1, 0.1):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert ((turned - first) ** 2).sum() < ((turned @ turn - first) ** 2).sum()


def test_faithfulness_by_hand():
    # Directions at 0, 10, 80 and 90 degrees: of each word the nearest is the one 10 degrees away.
    angles = np.radians([0, 10, 80, 90])
    table = learned(np.stack([np.cos(angles), np.sin(angles)], 1))
    right = WordMap(table.words, np.array([[0, 0], [1, 0], [5, 0], [6, 0]], float), None)
    half = WordMap(table.words, np.array([[0, 0], [1, 0], [5, 0], [1, 1]], float), None)
    assert faithfulness(table, right, 1) == 1.0 and faithfulness(table, right, 99) == 1.0
    assert faithfulness(table, half, 1) == 0.5  # word2 and word3 now stand nearest to word3 and word1.
    assert nearest_drawn(right, "word0", 2) == ["word1", "word2"]
    with pytest.raises(EmbeddingError, match="1 or more"):
        faithfulness(table, right, 0)


def test_a_file_of_maps_comes_back(clusters, drawn, tmp_path):
    path = tmp_path / "maps.json"
    path.write_bytes(maps_to_json(drawn))
    read = read_maps(path)
    for name, table in clusters.items():
        assert read[name].fingerprint == table.fingerprint and list(read[name].methods) == list(METHODS)
        for method, found in read[name].methods.items():
            np.testing.assert_allclose(found.positions, drawn[name].methods[method].positions, rtol=1e-4)
            assert found.words == table.words and found.explained == drawn[name].methods[method].explained


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("tables"),
        lambda data: data["tables"]["one"].pop("tsne"),
        lambda data: data["tables"]["one"].pop("fingerprint"),
        lambda data: data["tables"].update(one=[]),
        lambda data: data["tables"]["one"]["pca"]["positions"].pop(),
        lambda data: data["tables"]["one"]["pca"]["positions"].__setitem__(0, ["x", 1]),
        lambda data: data["tables"]["one"]["pca"]["positions"].__setitem__(0, [1]),
        lambda data: data["tables"]["one"]["tsne"]["positions"].__setitem__(0, [float("nan"), 1]),
        lambda data: data["tables"]["one"]["pca"].update(explained=None),
        lambda data: data["tables"]["one"]["pca"].update(explained=[0.5]),
        lambda data: data["tables"]["one"]["pca"].update(explained=[float("inf"), 0.5]),
        lambda data: data["words"].append("more"),
    ],
)
def test_a_damaged_file_of_maps_is_refused(drawn, tmp_path, spoil):
    data = json.loads(maps_to_json(drawn))
    spoil(data)
    path = tmp_path / "maps.json"
    path.write_text(json.dumps(data))
    with pytest.raises(EmbeddingError, match="maps.json"):
        read_maps(path)


@pytest.mark.parametrize("folder", sorted(path.parents[1] for path in CHECKPOINTS.glob("*/learned/table.json")), ids=str)
def test_the_shipped_maps_belong_to_the_shipped_tables(folder):
    for name, maps in read_maps(folder / "maps.json").items():
        table = EmbeddingTable.load(folder / name)
        assert maps.fingerprint == table.fingerprint and len(maps.methods["pca"].words) == COUNT
        now = map_2d(table, maps.methods["pca"].words)
        np.testing.assert_allclose(abs(maps.methods["pca"].positions), abs(now.positions), atol=1e-3)
        assert faithfulness(table, maps.methods["tsne"]) > 2 * faithfulness(table, maps.methods["pca"])
