"""How familiar a photograph is: how well the training photographs explain its features.

A small summary ships in place of the training photographs: their mean, principal components and cluster centres. A photograph's
novelty is the length of what the components leave unexplained, ranked among held-out photographs.
`captioner.scoring.novelty_curve` measures what novelty means for captions.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from captioner.config import STAGES
from captioner.errors import CheckpointError, FeatureError
from captioner.storage import write_bytes

FILE = "familiarity.safetensors"
COMPONENTS, KINDS, WORDS = 128, 32, 5
_USUAL = 0.4  # A word of more than this share of all photographs describes no kind.
_SHARE, _LIFT = 0.2, 2.0  # The least share of a kind's photographs that have a word, and the least ratio to the share of all.
_ROUNDING = 1e-3
_TENSORS = {"mean": "F32", "components": "F16", "centres": "F32", "distances": "F32"}


def summary_path(folder: Path) -> Path:
    """The summary's file. It depends on the encoder alone, so the training stages share one in the folder above."""
    folder = Path(folder)
    shared = folder.name in STAGES and not (folder / FILE).is_file()
    return (folder.resolve().parent if shared else folder) / FILE


@dataclass(frozen=True)
class Kind:
    """A cluster of training photographs: its characteristic words (none for a mixed cluster), and its size."""

    words: tuple[str, ...]
    photographs: int


@dataclass(frozen=True)
class Judgement:
    """The percentage of held-out photographs that are more familiar, and the nearest kind."""

    percentile: float
    kind: Kind

    @property
    def beyond(self) -> bool:
        """Whether it is less familiar than all of them, so that nothing is known about captions of such photographs."""
        return self.percentile >= 100


@dataclass(frozen=True, eq=False)
class Familiarity:
    """The summary of a data set's photographs as one encoder sees them."""

    encoder: str  # fingerprint
    data: str
    photographs: int
    held_out: int
    kinds: tuple[Kind, ...]
    mean: np.ndarray  # (channels,)
    components: np.ndarray  # (components, channels)
    centres: np.ndarray  # (kinds, components)
    distances: np.ndarray  # (held out,), ascending

    @classmethod
    def fit(
        cls,
        train: np.ndarray,
        held_out: np.ndarray,
        captions: Sequence[Sequence[str]],
        encoder: str,
        data: str,
        most: int = COMPONENTS,
    ) -> "Familiarity":
        """Summarise pooled features (photographs, channels) with up to `most` components.

        `captions` has the words of each training photograph's captions.
        """
        from sklearn.cluster import KMeans

        if min(len(train), len(held_out)) < 2:
            raise FeatureError("Familiarity needs two photographs or more for training, and two or more held out.")
        mean, components = principal_components(train, most)
        coordinates = (train - mean) @ components.T.astype(np.float32)  # (photographs, components)
        groups = KMeans(min(KINDS, len(train)), n_init=4, random_state=0).fit(coordinates)
        centres = groups.cluster_centers_.astype(np.float32)
        kinds = _name_kinds(groups.labels_, len(centres), captions)
        distances = np.sort(novelty(held_out, mean, components))
        return cls(encoder, data, len(train), len(held_out), kinds, mean, components, centres, distances)

    def novelty(self, pooled: np.ndarray) -> np.ndarray:
        """What the components leave unexplained of each photograph, (photographs, channels) to (photographs,)."""
        return novelty(pooled, self.mean, self.components)

    def judge(self, features: np.ndarray) -> Judgement:
        """Judge one photograph by its features (regions, channels)."""
        pooled = features.astype(np.float32).mean(axis=0)[None]
        below = np.searchsorted(self.distances, self.novelty(pooled)[0])
        place = (pooled - self.mean) @ self.components.T.astype(np.float32)
        nearest = int(np.linalg.norm(self.centres - place, axis=1).argmin())
        return Judgement(100 * float(below) / len(self.distances), self.kinds[nearest])

    def save(self, folder: Path) -> None:
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS}
        kinds = [[kind.words, kind.photographs] for kind in self.kinds]
        facts = {"encoder": self.encoder, "data": self.data, "photographs": self.photographs, "kinds": kinds}
        # One metadata entry, since safetensors writes several in a varying order.
        write_bytes(summary_path(folder), save(arrays, {"facts": json.dumps(facts)}))

    def agrees(self, other: "Familiarity | None") -> bool:
        """Whether the other summarises the same photographs alike, apart from another machine's rounding."""
        facts = ("encoder", "data", "photographs", "held_out", "kinds")
        if other is None or any(getattr(self, name) != getattr(other, name) for name in facts):
            return False
        pairs = [(getattr(self, name), getattr(other, name)) for name in _TENSORS]
        return all(one.shape == two.shape and np.allclose(one, two, atol=_ROUNDING) for one, two in pairs)

    @classmethod
    def load(cls, folder: Path) -> "Familiarity | None":
        """The summary of a folder of decoders; None if there is none."""
        path = summary_path(folder)
        if not path.is_file():
            return None
        try:
            return cls._read(path)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(f"The file {FILE} cannot be used; copy it again or make it anew.") from error

    @classmethod
    def _read(cls, path: Path) -> "Familiarity":
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            if {name: file.get_slice(name).get_dtype() for name in file.keys()} != _TENSORS:
                raise ValueError("tensors")
            arrays = {name: file.get_tensor(name) for name in _TENSORS}
        kinds = tuple(Kind(tuple(map(str, words)), int(count)) for words, count in facts["kinds"])
        components, channels = arrays["components"].shape
        fits = arrays["mean"].shape == (channels,) and arrays["centres"].shape == (len(kinds), components)
        whole = kinds and len(arrays["distances"]) and all(np.isfinite(part).all() for part in arrays.values())
        if not fits or not whole:
            raise ValueError("shapes or numbers")
        return cls(facts["encoder"], facts["data"], int(facts["photographs"]), len(arrays["distances"]), kinds, **arrays)


def principal_components(train: np.ndarray, most: int = COMPONENTS) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the photographs (channels,), and their principal components (components, channels)."""
    from sklearn.decomposition import PCA

    analysis = PCA(min(most, *train.shape, len(train) - 1), svd_solver="full").fit(train)
    return analysis.mean_.astype(np.float32), analysis.components_.astype(np.float16)


def novelty(pooled: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """The length of each photograph's residual after projection onto the components (photographs,)."""
    directions = components.astype(np.float32)
    centred = pooled - mean
    return np.linalg.norm(centred - centred @ directions.T @ directions, axis=1).astype(np.float32)


def _name_kinds(labels: np.ndarray, count: int, captions: Sequence[Sequence[str]]) -> tuple[Kind, ...]:
    """Each kind with the words whose share in its captions is high, absolutely and relative to all captions."""
    photographs = [set(words) for words in captions]
    everywhere = Counter(word for words in photographs for word in words)
    kinds = []
    for kind in range(count):
        members = [photographs[place] for place in np.flatnonzero(labels == kind)]
        marks = {}
        for word, inside in Counter(word for words in members for word in words).items():
            share, usual = inside / len(members), everywhere[word] / len(captions)
            if share >= _SHARE and share >= _LIFT * usual and usual <= _USUAL:
                marks[word] = share * np.log(share / usual)
        kinds.append(Kind(tuple(sorted(marks, key=lambda word: (-marks[word], word))[:WORDS]), len(members)))
    return tuple(kinds)
