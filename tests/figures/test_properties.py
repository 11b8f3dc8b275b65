"""What the decoders share is found in their settings: a change of any one is seen."""

from dataclasses import replace

from standins import small_checkpoint

from captioner.config import SHIPPED
from captioner.figures.properties import compare, difference

ALIKE = {"CNN", "Layers", "Vocabulary", "First stage of training", "Last stage of training", "Seed of all that is random"}


def same(*checkpoints):
    rows = compare(dict(zip(("learned", "word2vec", "fasttext"), checkpoints, strict=False)))
    assert all(len(row.values) == len(checkpoints) for row in rows)
    return {row.label for row in rows if row.same}


def test_only_the_vectors_differ():
    learned, frozen = small_checkpoint(), small_checkpoint("word2vec")
    frozen = replace(frozen, table=replace(frozen.table, source="Word2Vec of other sentences."))
    assert same(learned, frozen) == ALIKE
    rows = {row.label: row.values for row in compare({"learned": learned, "word2vec": frozen})}
    assert rows["Are they trained further?"] == ("yes", "no, frozen")
    assert rows["Where the words’ vectors come from"][1] == "Word2Vec of other sentences."


def test_whatever_differs_is_seen():
    one = small_checkpoint()
    training = replace(one, preset=replace(one.preset, training=replace(one.preset.training, clip_norm=1.25)))
    decoder = replace(one, preset=replace(one.preset, decoder=replace(one.preset.decoder, row_scale=0.25)))
    encoder = replace(one, encoder=replace(one.encoder, fingerprint="another"))
    seed = replace(one, seed=9)
    changed = {"First stage of training": training, "Layers": decoder, "CNN": encoder, "Seed of all that is random": seed}
    for label, other in changed.items():
        assert ALIKE - same(one, other) == {label}


def test_further_text_is_claimed_of_what_ships_alone(tmp_path):
    for said in map(difference, (SHIPPED, tmp_path)):
        assert "trained with the decoder" in said and "frozen" in said
    assert "further text" in difference(SHIPPED) and "further text" not in difference(tmp_path)
