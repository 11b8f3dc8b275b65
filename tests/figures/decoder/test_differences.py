"""What the decoders share is found in their settings: a change of any one is seen."""

from dataclasses import replace

from captioner.config import SHIPPED
from captioner.figures.decoder.differences import compare, difference
from support.fakes import small_checkpoint

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


def test_what_makes_older_recipes_different_is_told():
    plain, (layers,) = told(), told(layers=4)
    assert plain == ("the photograph enters by attention; one layer of 8 units; dropout 0.2",)
    assert layers == "the photograph enters by attention; 4 layers of 8 units; dropout 0.2"
    assert told(attention="additive", activation="relu") == (
        plain[0] + "; additive attention, before the LSTM reads a word; ReLU in place of tanh in the LSTM",
    )
    course, stacked = told(image_entry="merge", dropout_at="words"), told(image_entry="merge", pooling="blocks")
    assert "dropout of the words’ vectors" in course[0] and "9 blocks" in stacked[0] and course != stacked


def told(**shape) -> tuple[str, ...]:
    rows = {row.label: row.values for row in compare({"learned": small_checkpoint(**shape)})}
    return rows["Layers"]


def test_further_text_is_claimed_of_what_ships_alone(tmp_path):
    for said in map(difference, (SHIPPED, tmp_path)):
        assert "trained with the decoder" in said and "frozen" in said
    assert "further text" in difference(SHIPPED) and "further text" not in difference(tmp_path)
