"""`familiar`: sum up the training photographs, so that the page can say how familiar another photograph is."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from captioner.commands import choices
from captioner.commands.report import note, print_json

if TYPE_CHECKING:
    import numpy as np

    from captioner.datasets import Record
    from captioner.features import FeatureCache

_AT_ONCE = 200


def run(options: Namespace) -> int:
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.checkpoints import load_all
    from captioner.encoder import load_encoder
    from captioner.familiarity import FILE, Familiarity
    from captioner.features import FeatureCache
    from captioner.vocabulary import tokenize

    folder, data = choices.checkpoints(options), choices.dataset(options)
    encoder = load_encoder(next(iter(load_all(folder).values())).encoder.name)
    cache = FeatureCache(choices.cache(options), encoder)
    train, held_out = (_usable(data.split(split), cache) for split in ("train", "dev"))
    captions = [[word for caption in record.captions for word in tokenize(caption)] for record in train]
    found = Familiarity.fit(_pooled(train, cache), _pooled(held_out, cache), captions, encoder.fingerprint, data.name)
    found.save(folder)
    if options.json:
        kinds = [{"words": kind.words, "photographs": kind.photographs} for kind in found.kinds]
        print_json({"file": str(folder / FILE), "photographs": len(train), "held_out": len(held_out), "kinds": kinds})
    else:
        print(
            f"Summed up {len(train)} photographs in {len(found.kinds)} kinds; {len(held_out)} held out. Kept in {folder / FILE}"
        )
        for kind in sorted(found.kinds, key=lambda kind: -kind.photographs):
            print(f"{kind.photographs:6}  {', '.join(kind.words) or 'a mixed lot'}")
    return 0


def _usable(records: "Sequence[Record]", cache: "FeatureCache") -> "list[Record]":
    failed = cache.fill(records)
    for reason in failed.values():
        note(f"Left out: {reason}")
    return [record for record in records if record.name not in failed]


def _pooled(records: "Sequence[Record]", cache: "FeatureCache") -> "np.ndarray":
    """The mean over the regions of each photograph (photographs, channels)."""
    import numpy as np

    parts = [records[first : first + _AT_ONCE] for first in range(0, len(records), _AT_ONCE)]
    return np.concatenate([cache.rows(part).astype(np.float32).mean(axis=1) for part in parts])
