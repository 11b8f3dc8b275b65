"""Evaluation on labelled photographs: the share of the captions that name the object.

The labels are read by `captioner.data.labels`; what counts as the object's name is left to `captioner.scoring.object_names`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from captioner.config import SearchConfig
from captioner.data.labels import Labelled, mark
from captioner.errors import DatasetError
from captioner.scoring.evaluation import caption_all, setting
from captioner.scoring.object_names import share_named
from captioner.vision.feature_cache import FeatureCache

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner


@dataclass(frozen=True, eq=False)
class LabelledEvaluation:
    """Captions of labelled photographs by variant, and the share of them that name the object."""

    data: str
    labels: str  # the mark of the photographs
    config: SearchConfig
    captions: Mapping[str, Mapping[str, str]]
    shares: Mapping[str, float]

    def summary(self, variant: str) -> dict[str, Any]:
        """One variant's share and search setting, as plain data."""
        facts = {"data": self.data, "labels": self.labels, "images": len(self.captions[variant])}
        return facts | setting(self.config) | {"named": self.shares[variant]}


@dataclass(frozen=True, eq=False)
class LabelledSubjects:
    """Labelled photographs with cached features, and the reasons for unreadable ones."""

    records: tuple[Labelled, ...]
    cache: FeatureCache
    failed: Mapping[str, str]

    @classmethod
    def of(cls, records: Sequence[Labelled], cache: FeatureCache) -> "LabelledSubjects":
        failed = cache.fill(records)
        usable = tuple(record for record in records if record.name not in failed)
        if not usable:
            raise DatasetError(
                f"Of the labelled photographs {len(records)} are held out, and none of these is readable; check the image files, "
                "or add photographs."
            )
        return cls(usable, cache, failed)

    @property
    def mark(self) -> str:
        return mark(self.records)

    def evaluate(self, captioner: "Captioner", config: SearchConfig, label: str = "captions") -> LabelledEvaluation:
        """Caption every photograph with every variant, and count the best captions that name the object."""
        config, labels = replace(config, alternatives=0), {record.name: record.label for record in self.records}
        captions = caption_all(captioner, self.records, self.cache, config, captioner.variants, label)
        shares = {name: share_named(texts, labels) for name, texts in captions.items()}
        return LabelledEvaluation(self.records[0].origin, self.mark, config, captions, shares)
