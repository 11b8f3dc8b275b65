"""How familiar a photograph is: how far its features lie from those of the photographs that the decoders learned from.

A small summary of the training photographs ships in their place: their mean, the directions in which they differ (principal
components), and the centres of their kinds. A photograph is strange by what the components cannot express of it; the
distances of photographs that were held out of training say how strange that is. What follows from it for the captions is left
to `captioner.scoring.novelty_curve`.
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
_USUAL = 0.4  # Words of more than this share of all photographs mark none.
_SHARE, _LIFT = 0.2, 2.0  # Nor does a word that fewer of a kind's photographs have, or hardly more of them than of all.
_ROUNDING = 1e-3
_KINDS = {"mean": "F32", "components": "F16", "centres": "F32", "distances": "F32"}


def place(folder: Path) -> Path:
    """The summary's file. It is of the encoder alone, so the stages of training share one, above their folders."""
    folder = Path(folder)
    shared = folder.name in STAGES and not (folder / FILE).is_file()
    return (folder.resolve().parent if shared else folder) / FILE


@dataclass(frozen=True)
class Kind:
    """A group of training photographs whose features lie together: the words that mark its captions, and how many there are.

    A mixed lot, which every data set has for what fits nowhere else, has no such words.
    """

    words: tuple[str, ...]
    photographs: int


@dataclass(frozen=True)
class Judgement:
    """Of 100 photographs held out of training so many are less strange; and the kind that this one lies nearest to."""

    percentile: float
    kind: Kind

    @property
    def beyond(self) -> bool:
        """Whether it is stranger than all of them, so that nothing is known of the like."""
        return self.percentile >= 100


@dataclass(frozen=True, eq=False)
class Familiarity:
    """The summary of the photographs of a data set, as one encoder sees them."""

    encoder: str  # its fingerprint
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
        """Summarise pooled features (photographs, channels); `captions` are the words of each training photograph's captions.

        `most` is how many components are kept at most.
        """
        from sklearn.cluster import KMeans

        if min(len(train), len(held_out)) < 2:
            raise FeatureError("To tell what is familiar takes two photographs or more to learn from, and two or more held out.")
        mean, components = expressed(train, most)
        coordinates = (train - mean) @ components.T.astype(np.float32)  # (photographs, components)
        groups = KMeans(min(KINDS, len(train)), n_init=4, random_state=0).fit(coordinates)
        centres = groups.cluster_centers_.astype(np.float32)
        kinds = _name_kinds(groups.labels_, len(centres), captions)
        distances = np.sort(strangeness(held_out, mean, components))
        return cls(encoder, data, len(train), len(held_out), kinds, mean, components, centres, distances)

    def strangeness(self, pooled: np.ndarray) -> np.ndarray:
        """What the components cannot express of each photograph, (photographs, channels) to (photographs,)."""
        return strangeness(pooled, self.mean, self.components)

    def judge(self, features: np.ndarray) -> Judgement:
        """One photograph's features (regions, channels)."""
        pooled = features.astype(np.float32).mean(axis=0)[None]
        below = np.searchsorted(self.distances, self.strangeness(pooled)[0])
        place = (pooled - self.mean) @ self.components.T.astype(np.float32)
        nearest = int(np.linalg.norm(self.centres - place, axis=1).argmin())
        return Judgement(100 * float(below) / len(self.distances), self.kinds[nearest])

    def save(self, folder: Path) -> None:
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _KINDS}
        kinds = [[kind.words, kind.photographs] for kind in self.kinds]
        facts = {"encoder": self.encoder, "data": self.data, "photographs": self.photographs, "kinds": kinds}
        # One fact by that file's own count, since it writes several in an order that changes from time to time.
        write_bytes(place(folder), save(arrays, {"facts": json.dumps(facts)}))

    def agrees(self, other: "Familiarity | None") -> bool:
        """Whether the other says the same of the same photographs, but for the rounding of another machine."""
        facts = ("encoder", "data", "photographs", "held_out", "kinds")
        if other is None or any(getattr(self, name) != getattr(other, name) for name in facts):
            return False
        pairs = [(getattr(self, name), getattr(other, name)) for name in _KINDS]
        return all(one.shape == two.shape and np.allclose(one, two, atol=_ROUNDING) for one, two in pairs)

    @classmethod
    def load(cls, folder: Path) -> "Familiarity | None":
        """The summary beside these decoders, or None where none was made."""
        path = place(folder)
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
            if {name: file.get_slice(name).get_dtype() for name in file.keys()} != _KINDS:
                raise ValueError("other tensors")
            arrays = {name: file.get_tensor(name) for name in _KINDS}
        kinds = tuple(Kind(tuple(map(str, words)), int(count)) for words, count in facts["kinds"])
        components, channels = arrays["components"].shape
        fits = arrays["mean"].shape == (channels,) and arrays["centres"].shape == (len(kinds), components)
        if not fits or not kinds or not len(arrays["distances"]) or not all(np.isfinite(part).all() for part in arrays.values()):
            raise ValueError("shapes")
        return cls(facts["encoder"], facts["data"], int(facts["photographs"]), len(arrays["distances"]), kinds, **arrays)


def expressed(train: np.ndarray, most: int = COMPONENTS) -> tuple[np.ndarray, np.ndarray]:
    """What the photographs have in common: their mean, and the directions in which they differ (components, channels)."""
    from sklearn.decomposition import PCA

    analysis = PCA(min(most, *train.shape, len(train) - 1), svd_solver="full").fit(train)
    return analysis.mean_.astype(np.float32), analysis.components_.astype(np.float16)


def strangeness(pooled: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """The length of what the components leave over of each photograph (photographs,)."""
    directions = components.astype(np.float32)
    centred = pooled - mean
    return np.linalg.norm(centred - centred @ directions.T @ directions, axis=1).astype(np.float32)


def _name_kinds(labels: np.ndarray, count: int, captions: Sequence[Sequence[str]]) -> tuple[Kind, ...]:
    """For every kind the words that its photographs' captions have more often than the others', commonness weighed in."""
    everywhere = Counter(word for words in captions for word in set(words))
    kinds = []
    for kind in range(count):
        members = [set(captions[place]) for place in np.flatnonzero(labels == kind)]
        inside = Counter(word for words in members for word in words)

        marks = {}
        for word, count in inside.items():
            share, usual = count / len(members), everywhere[word] / len(captions)
            if share >= _SHARE and share >= _LIFT * usual and usual <= _USUAL:
                marks[word] = share * np.log(share / usual)
        kinds.append(Kind(tuple(sorted(marks, key=lambda word: (-marks[word], word))[:WORDS]), len(members)))
    return tuple(kinds)
