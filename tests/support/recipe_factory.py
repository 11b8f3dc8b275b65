"""Records of older recipes and of the ablation with figures drawn by hand, for the tests of everything that reads them."""

from dataclasses import replace
from pathlib import Path

from captioner.config import STANDARD, find_variant
from captioner.config_io import to_json
from captioner.experiments.plans import ABLATION, RECIPES, Plan, Trial
from captioner.experiments.records import TRIALS, Record, Scores, stored
from captioner.storage import write_json

EPOCHS = 4
# What 10 dimensions cost against 300, and FastText against Word2Vec, in the training loss; from seed to seed it moves by 0.02.
WIDTH, EMBEDDING, MEANINGLESS, SEED = 0.8, 0.05, 0.1, 0.02
COSTS = {10: 1.0, 50: 0.4, 100: 0.2, 300: 0.0}
KINDS = {"word2vec": 0.0, "fasttext": 1.0}


def dimensions(trial: Trial) -> int:
    return trial.settings.decoder.embedding_dimensions


def record(trial: Trial, width=WIDTH, embedding=EMBEDDING, both=0.0, seed=SEED, cider=0.5, **changes) -> Record:
    """The training loss falls by 0.5 an epoch; all trials of the question end at the fourth.

    `both` is what the fewest dimensions cost FastText besides.
    """
    end = 2.5 + width * COSTS.get(dimensions(trial), 0) + seed * (trial.seed - 1)
    end += both * (trial.variant == "fasttext" and dimensions(trial) == 10)
    end += embedding * KINDS.get(trial.variant, 0) + (MEANINGLESS if trial.variant == "random" else 0)
    losses = tuple((end + 0.5 * (EPOCHS - epoch), end + 0.3 + 0.25 * (EPOCHS - epoch)) for epoch in range(1, EPOCHS + 1))
    metrics = {"cider": cider, "bleu4": 0.2, "rouge_l": 0.45, "bleu1": 0.6}
    intervals = {name: (value - 0.03, value + 0.03) for name, value in metrics.items()}
    found = Record(
        variant=trial.variant,
        stage=trial.stage,
        seed=trial.seed,
        splits=trial.splits,
        part=trial.part,
        settings=to_json(trial.settings.up_to(trial.stage)),
        data="flickr8k",
        encoder="efficientnet-lite2",
        made_with="0123",
        losses=losses,
        best_epoch=EPOCHS,
        fastest_epoch=41.2,
        cores=2,
        trained_on=5999 if trial.splits == STANDARD else 6999,
        words=100,
        trainable=5000,
        frozen=100 * dimensions(trial) if find_variant(trial.variant).frozen else 0,
        ms_per_caption=12.4,
        scores=dict.fromkeys(trial.scored_on, Scores(metrics, 3, 0.7, 1000, intervals)),
    )
    return replace(found, **changes)


def gave_up(trial: Trial) -> Record:
    told = {"gave_up": "The loss became nan in epoch 2; lower it.", "losses": ((5.0, 4.5),), "scores": {}}
    return replace(record(trial), **told, **dict.fromkeys(("best_epoch", "fastest_epoch", "cores", "trained_on", "words")))


def ablation_record(trial: Trial) -> Record:
    """Slots, further sets and the second seed add to each figure in their own decimal."""
    slots, more = bool(trial.settings.decoder.word_slots), trial.settings.training.other_share
    gain = 0.1 * slots + 0.02 * more + 0.004 * (trial.seed - 1)
    wording = {"flawed": 0.02, "says_twice": 0.04 + gain, "distinct_captions": 700 + trial.seed}
    bases = {"dev": 0.5, "test": 0.5, "wide dev": 0.3, "wide test": 0.3}
    one = record(trial).scores["dev"]
    scores = {split: replace(one, metrics=one.metrics | {"cider": base + gain}, wording=wording) for split, base in bases.items()}
    return replace(record(trial), data="flickr8k+wide+made", scores=scores, named=0.2 + gain)


def write_ablation(folder: Path) -> None:
    records = [stored(ablation_record(trial)) for trial in ABLATION.trials()]
    write_json(folder / TRIALS / "ablation.json", {"trials": records})


def write_recipes(folder: Path, parts=("table", "question", "notes"), **figures) -> list[Record]:
    records = [record(trial, **figures) for trial in RECIPES.trials(parts)]
    write_json(folder / TRIALS / "recipes.json", {"trials": [stored(one) for one in records]})
    return records


def write_withheld(folder: Path, plan: Plan) -> None:
    """Records of a plan that withholds photographs: two objects, of whose 3 and 1 photographs the decoder names 2 and 0."""
    rows = [
        {"search": search, "object": name, "photographs": count, "says": [1] * said + [0] * (count - said), "named": said / count}
        | {"sound": said / count, "f1": said / 10, "cider_object": 0.2 * count, "cider_other": 0.5}
        for search in ("free", "forced")
        for name, count, said in (("cat", 3, 2), ("bus", 1, 0))
    ]
    objects = tuple(rows) if plan.needs == ("objects",) else ()
    found = [record(trial, cider=0.5 + trial.seed / 100, objects=objects) for trial in plan.trials()]
    write_json(folder / TRIALS / f"{plan.name}.json", {"trials": [stored(one) for one in found]})
