"""Published scores on the test photographs of Flickr8k, with their sources."""

from dataclasses import dataclass

import numpy as np

PUBLISHED_ON = ("flickr8k", "test")

# The lowest and highest CIDEr that we know to be published for a captioner with a frozen CNN.
FROZEN_CIDER = (0.44, 0.535)

OTHER_BLEU = "another BLEU implementation without the brevity penalty"
_XU = (
    "Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention, ICML 2015, table 1",
    f"{OTHER_BLEU}, and for the two systems of 2014 as reported to them: only roughly comparable",
)
_TANTI = (
    "Tanti, Gatt and Camilleri, Where to put the image in an image caption generator, Natural Language Engineering, 2018",
    "mean of their three runs; our scorer reproduces these figures from their captions",
)
_COLUMNS = ("cider", "meteor", "rouge_l", "bleu1", "bleu2", "bleu3", "bleu4")


@dataclass(frozen=True)
class System:
    """One published system; metrics are fractions."""

    title: str
    source: str
    scoring: str
    runs: tuple[dict[str, float], ...]
    cnn: str = ""
    trainings: int = 1  # the number of runs behind its scores

    @property
    def metrics(self) -> dict[str, float]:
        """The mean over the runs."""
        return {name: float(np.mean([run[name] for run in self.runs])) for name in self.runs[0]}


def _runs(*rows: tuple[float, ...]) -> tuple[dict[str, float], ...]:
    return tuple(dict(zip(_COLUMNS, row, strict=True)) for row in rows)


PUBLISHED: tuple[System, ...] = (
    System(
        "Init-inject, 2018",
        *_TANTI,
        _runs(
            (0.4676, 0.1933, 0.4418, 0.6086, 0.4177, 0.2779, 0.1853),
            (0.4882, 0.1945, 0.4455, 0.6138, 0.4274, 0.2883, 0.1934),
            (0.4883, 0.1941, 0.4475, 0.6110, 0.4270, 0.2898, 0.1948),
        ),
        "VGG16",
        3,
    ),
    System(
        "Merge, 2018",
        *_TANTI,
        _runs(
            (0.4796, 0.1949, 0.4469, 0.6079, 0.4194, 0.2792, 0.1828),
            (0.4483, 0.1908, 0.4387, 0.6012, 0.4132, 0.2731, 0.1785),
            (0.4792, 0.1931, 0.4448, 0.5908, 0.4053, 0.2665, 0.1724),
        ),
        "VGG16",
        3,
    ),
    System(
        "Pre-inject, 2018",
        _TANTI[0],
        "mean of their three runs, as published; its captions are not available",
        ({"cider": 0.469},),
        "VGG16",
        3,
    ),
    System(
        "Hard attention, 2015",
        *_XU,
        ({"bleu1": 0.67, "bleu2": 0.457, "bleu3": 0.314, "bleu4": 0.213, "meteor": 0.2030},),
        "VGG19",
    ),
    System(
        "Soft attention, 2015",
        *_XU,
        ({"bleu1": 0.67, "bleu2": 0.448, "bleu3": 0.299, "bleu4": 0.195, "meteor": 0.1893},),
        "VGG19",
    ),
    System("Google NIC, 2014", *_XU, ({"bleu1": 0.63, "bleu2": 0.41, "bleu3": 0.27},)),
    System(
        "Log-bilinear, 2014", *_XU, ({"bleu1": 0.656, "bleu2": 0.424, "bleu3": 0.277, "bleu4": 0.177, "meteor": 0.1731},)
    ),
)


def in_short() -> str:
    """The published scores to compare with, for the README and the page."""
    lowest, highest = FROZEN_CIDER
    hard = next(system for system in PUBLISHED if system.title.startswith("Hard attention"))
    return (
        f"Published captioners with a frozen CNN reach CIDEr {lowest} to {highest} on this data. Compare these with the "
        "decoders on the original CNN (study on Flickr8k alone), not with those on a CNN fine-tuned on the same photographs. "
        "Hard attention "
        f"(Xu et al., 2015) reaches BLEU-4 {hard.metrics['bleu4']} by {OTHER_BLEU}: only roughly comparable."
    )
