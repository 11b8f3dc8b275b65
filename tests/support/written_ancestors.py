"""Records of older recipes with figures drawn by hand: what tests of those who read them share."""

from pathlib import Path

from captioner.config import STANDARD, find_variant
from captioner.experiments.ancestor_records import SPLITS, Ancestor, Record, facts_of, plan, save_records

EPOCHS = 4
# What 10 dimensions cost against 300, and FastText against Word2Vec, in the training loss; from seed to seed it moves by 0.02.
WIDTH, EMBEDDING, MEANINGLESS, SEED = 0.8, 0.05, 0.1, 0.02
COSTS = {10: 1.0, 50: 0.4, 100: 0.2, 300: 0.0}
KINDS = {"word2vec": 0.0, "fasttext": 1.0}


def record(ancestor: Ancestor, width=WIDTH, embedding=EMBEDDING, both=0.0, seed=SEED, cider=0.5, **changes) -> Record:
    """The training loss falls by 0.5 an epoch, on which those of `open_question` all agree after the fourth.

    `both` is what the fewest dimensions cost FastText besides.
    """
    end = 2.5 + width * COSTS.get(ancestor.dimensions, 0) + seed * (ancestor.seed - 1)
    end += both * (ancestor.variant == "fasttext" and ancestor.dimensions == 10)
    end += embedding * KINDS.get(ancestor.variant, 0) + (MEANINGLESS if ancestor.variant == "random" else 0)
    losses = [[end + 0.5 * (EPOCHS - epoch), end + 0.3 + 0.25 * (EPOCHS - epoch)] for epoch in range(1, EPOCHS + 1)]
    metrics = {"cider": cider, "bleu4": 0.2, "rouge_l": 0.45, "bleu1": 0.6}
    score = {"images": 1000, "beam": 3, "length_preference": 0.7, "metrics": metrics}
    score |= {"intervals": {name: [value - 0.03, value + 0.03] for name, value in metrics.items()}}
    frozen = 100 * ancestor.dimensions if find_variant(ancestor.variant).frozen else 0
    data = facts_of(ancestor) | {"made_with": "0123", "data": "flickr8k", "encoder": "efficientnet-lite2", "gave_up": ""}
    data |= {"losses": losses, "words": 100, "trainable": 5000, "frozen": frozen, "best_epoch": EPOCHS}
    standard = ancestor.splits == STANDARD
    data |= {"fastest_epoch": 41.2, "cores": 2, "ms_per_caption": 12.4, "trained_on": 5999 if standard else 6999}
    splits = SPLITS if standard else ("test",)
    return Record(ancestor, data | dict.fromkeys(splits, score) | changes)


def gave_up(ancestor: Ancestor) -> Record:
    whole = record(ancestor).data
    names = (*facts_of(ancestor), "made_with", "data", "encoder")
    data = {name: whole[name] for name in names} | {"gave_up": "The loss became nan in epoch 2; lower it."}
    return Record(ancestor, data | {"losses": [[5.0, 4.5]]})


def write_ancestors(folder: Path, parts=("table", "question", "notes"), **figures) -> list[Record]:
    records = [record(ancestor, **figures) for ancestor in plan(parts)]
    save_records(folder, records)
    return records
