"""2-D maps of a table's words by PCA or t-SNE, aligned across tables and stored in one file; charts are left to others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embeddings.errors import EmbeddingError
from embeddings.explore import common_words, meaning, positive, unit
from embeddings.files import read_bytes, read_object
from embeddings.table import EmbeddingTable

MAPS_FILE = "maps.json"
COUNT = 450
_SEED = 1
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class WordMap:
    """Words on a plane. `explained` is the share of the variance on each axis, where axes have a meaning."""

    words: tuple[str, ...]
    positions: np.ndarray  # (words, 2)
    explained: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class DrawnMaps:
    """A table's maps by method, and the fingerprint of that table."""

    fingerprint: str
    methods: Mapping[str, WordMap]


def map_2d(table: EmbeddingTable, words: Sequence[str], method: str = "pca") -> WordMap:
    """Project words onto a plane: `pca` shows the two directions of largest variance, `tsne` preserves neighbourhoods."""
    if method not in METHODS:
        raise EmbeddingError(f"There is no map '{method}'; choose {' or '.join(METHODS)}.")
    if len(words) < 3:
        raise EmbeddingError(f"A map needs 3 words or more, but {len(words)} were given.")
    vectors = np.array([meaning(table, word) for word in words], np.float64)  # (words, dimensions)
    positions, explained = METHODS[method](vectors)
    return WordMap(tuple(words), positions, explained)


def _pca(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    left, sizes, right = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    axes = np.zeros((len(vectors), 2))
    shown = min(2, len(sizes))
    # The sign of an axis is arbitrary; a positive largest entry makes the map of a table reproducible.
    signs = np.sign(right[np.arange(shown), np.abs(right[:shown]).argmax(1)])
    axes[:, :shown] = left[:, :shown] * sizes[:shown] * signs
    shares = np.append(sizes**2 / max(float((sizes**2).sum()), 1e-30), 0.0)
    return axes, (float(shares[0]), float(shares[1]))


def _tsne(vectors: np.ndarray) -> tuple[np.ndarray, None]:
    from sklearn.manifold import TSNE

    # At equal length the nearest vectors have the largest cosine, so the map shows what `neighbours` returns.
    units = unit(vectors)
    start = _pca(units)[0]
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)  # t-SNE expects a small initial spread.
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    model = TSNE(perplexity=perplexity, init=start.astype(np.float32), method="exact", random_state=_SEED)
    return model.fit_transform(units).astype(np.float64), None


METHODS = {"pca": _pca, "tsne": _tsne}


def faithfulness(table: EmbeddingTable, drawn: WordMap, k: int = 10) -> float:
    """The mean share of a word's k nearest on the map that are also among its k nearest by cosine."""
    units = unit(np.array([table.vector(word) for word in drawn.words]))  # (words, dimensions)
    k = min(positive(k), len(drawn.words) - 1)
    near, drawn_near = _nearest(-(units @ units.T), k), _nearest(_distances(drawn), k)
    return float(np.mean([len(set(one) & set(other)) / k for one, other in zip(near, drawn_near, strict=True)]))


def nearest_drawn(drawn: WordMap, word: str, k: int) -> list[str]:
    """The words nearest to a word on a map."""
    place = drawn.words.index(word)
    return [drawn.words[other] for other in _nearest(_distances(drawn), min(positive(k), len(drawn.words) - 1))[place]]


def _distances(drawn: WordMap) -> np.ndarray:
    return np.linalg.norm(drawn.positions[:, None] - drawn.positions[None], axis=-1)  # (words, words)


def _nearest(gaps: np.ndarray, k: int) -> np.ndarray:
    np.fill_diagonal(gaps, np.inf)
    return np.argsort(gaps, axis=1, kind="stable")[:, :k]  # (words, k)


def draw_maps(tables: Mapping[str, EmbeddingTable], count: int = COUNT) -> dict[str, DrawnMaps]:
    """Every method's map of the commonest words that all tables know, aligned with the first table's map."""
    words = common_words(list(tables.values()), count)
    first: dict[str, np.ndarray] = {}
    drawn = {}
    for name, table in tables.items():
        methods = {}
        for method in METHODS:
            found = map_2d(table, words, method)
            aligned = _aligned(found.positions, first.setdefault(method, found.positions), method)
            methods[method] = WordMap(found.words, aligned, found.explained)
        drawn[name] = DrawnMaps(table.fingerprint, methods)
    return drawn


def _aligned(positions: np.ndarray, onto: np.ndarray, method: str) -> np.ndarray:
    """The map mirrored, and for t-SNE rotated, to match another; PCA's axes have a meaning and stay. No distance changes."""
    if method == "pca":
        return positions * np.where((positions * onto).sum(0) < 0, -1.0, 1.0)
    centred, goal = positions - positions.mean(0), onto - onto.mean(0)
    left, _, right = np.linalg.svd(centred.T @ goal)  # the orthogonal Procrustes problem
    return centred @ left @ right


def maps_to_json(drawn: Mapping[str, DrawnMaps]) -> bytes:
    """The content for `read_maps`; positions keep more digits than a picture shows."""
    words = next(iter(drawn.values())).methods["pca"].words
    tables = {
        name: {"fingerprint": maps.fingerprint} | {method: _to_json(found) for method, found in maps.methods.items()}
        for name, maps in drawn.items()
    }
    return (json.dumps({"words": words, "tables": tables}, separators=(",", ":")) + "\n").encode()


def _to_json(drawn: WordMap) -> dict[str, object]:
    positions = [[float(f"{number:.{_DIGITS}g}") for number in point] for point in drawn.positions]
    return {"positions": positions, "explained": drawn.explained}


def read_maps(path: Path) -> dict[str, DrawnMaps]:
    """The maps in a file by table; nothing in it is trusted."""
    data = read_object(read_bytes(path), {"words": list, "tables": dict}, path.name)
    try:
        words = tuple(str(word) for word in data["words"])
        return {name: _from_json(words, maps) for name, maps in data["tables"].items()}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise EmbeddingError(f"{path.name} lacks a point for each word and method; run python -m embeddings maps.") from error


def _from_json(words: tuple[str, ...], maps: Mapping) -> DrawnMaps:
    methods = {method: WordMap(words, *_checked(maps[method], len(words))) for method in METHODS}
    if methods["pca"].explained is None:
        raise ValueError
    return DrawnMaps(str(maps["fingerprint"]), methods)


def _checked(stored: Mapping, words: int) -> tuple[np.ndarray, tuple[float, float] | None]:
    positions = np.array(stored["positions"], np.float64)
    explained = stored["explained"]
    if explained is not None:
        first, second = map(float, explained)
        explained = (first, second)
    if positions.shape != (words, 2) or not np.isfinite([*positions.flat, *(explained or ())]).all():
        raise ValueError
    return positions, explained
