"""The ablation's table: means over seeds, for records whose figures are worked out by hand."""

from dataclasses import replace

from captioner.experiments.plans import ABLATION
from captioner.figures.scores.ablation_table import rows
from support.recipe_factory import ablation_record


def test_the_rows_are_means_over_the_seeds():
    found = rows([ablation_record(trial) for trial in reversed(ABLATION.trials())])
    keys = [(row["trained on"], row["word slots"], row["vectors"]) for row in found]
    kinds = ("Learned", "Word2Vec", "FastText")
    data = ("flickr8k", "flickr8k, wide and made")
    assert keys == [(trained, slots, kind) for trained in data for slots in ("none", "4") for kind in kinds]
    assert found[-1] == {
        "recipe": "shortened", "trained on": "flickr8k, wide and made", "word slots": "4", "vectors": "FastText", "seeds": "2",
        "flickr8k test CIDEr": "0.622", "wide test CIDEr": "0.422", "names the object": "32.2%",
        "repeats itself or breaks off": "2.0%", "says a word twice": "16.2%", "different captions": "1,403",
    }  # fmt: skip


def test_without_labels_there_is_no_such_column():
    one = replace(ablation_record(ABLATION.trials()[0]), named=None)
    assert "names the object" not in rows([one])[0] and rows([one])[0]["seeds"] == "1"
