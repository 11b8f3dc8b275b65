"""The layers that are told against the decoder that is built: their parameters, how these add up, and what is trained."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import ADAPTED, LITE2, SHIPPED
from captioner.errors import CheckpointError, EncoderError
from captioner.figures.decoder.architecture import FROZEN, NOTHING, TRAINED, read_architecture, size
from captioner.model.blueprint import TABLE_WEIGHT
from captioner.model.checkpoints import EncoderMark, load_all
from support.fakes import MARK, SHAPES, SMALL_VOCABULARY, small_checkpoint


def read(variant="learned", mark=MARK, **shape):
    checkpoint = small_checkpoint(variant, mark=mark, **shape)
    return checkpoint, read_architecture({variant: checkpoint})


def work_out(arithmetic: str) -> int:
    return eval(arithmetic.replace("×", "*").replace(",", ""))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variant", ["learned", "word2vec"])
def test_parameters_are_those_of_the_built_decoder(variant, shape):
    checkpoint, architecture = read(variant, **shape)
    decoder, column = checkpoint.build(), architecture.columns[0]
    assert column.parameters == decoder.count_params()
    assert column.trained == sum(int(np.prod(variable.shape)) for variable in decoder.trainable_variables)
    for layer in column.layers:
        assert layer.parameters == (work_out(layer.sum) if layer.sum else 0), layer.key


@pytest.mark.parametrize("shape", SHAPES)
def test_every_source_is_a_layer_and_the_last_one_is_the_words(shape):
    _, architecture = read(**shape)
    image_entry, found = shape["image_entry"], architecture.columns[0].layers
    keys = [layer.key for layer in found]
    assert len(set(keys)) == len(keys) and {source for layer in found for source in layer.sources} <= {*keys, "grid"}
    assert ("attention" in keys) == (image_entry == "attention") and ("sum" in keys) == (image_entry == "merge")
    assert ("start" in keys) == (image_entry in ("attention", "init"))
    assert ("hidden" in keys) == bool(shape.get("hidden_units", 5))
    slots = shape.get("word_slots", 0)
    assert ("slot" in keys) == ("copy" in keys) == bool(slots)
    assert found[-1].key == "words" and found[-1].shape == (len(SMALL_VOCABULARY) + slots,)


def test_the_table_of_a_decoder_with_word_slots_is_longer_than_its_vocabulary():
    checkpoint, architecture = read("word2vec", word_slots=2, beyond=("zebra",))
    layers = {layer.key: layer for layer in architecture.columns[0].layers}
    assert architecture.columns[0].parameters == checkpoint.build().count_params()
    assert layers[TABLE_WEIGHT].parameters == (len(SMALL_VOCABULARY) + 1) * 6 and "13 words" in layers[TABLE_WEIGHT].role
    assert layers["attention"].sources == ("query", "image", "slot") and "word slots (2)" in layers["attention"].role
    assert layers["slot"].sources == (TABLE_WEIGHT,) and layers["copy"].sources == ("hidden", "slot")
    assert layers["words"].sources == ("hidden", "copy")


def test_where_the_photograph_goes():
    """Which layers take the projected photograph, for every way it can enter."""
    places = {"attention": ["start", "attention"], "merge": ["sum"], "init": ["start"], "pre": ["lstm0"]}
    for image_entry, expected in places.items():
        _, architecture = read(image_entry=image_entry, layers=2)
        assert [layer.key for layer in architecture.columns[0].layers if "image" in layer.sources] == expected


def test_only_the_words_vectors_are_frozen_and_only_where_they_are():
    for variant, state in (("learned", TRAINED), ("fasttext", FROZEN)):
        states = {layer.key: layer.state for layer in read(variant)[1].columns[0].layers}
        assert states.pop(TABLE_WEIGHT) == state and states.pop("attention") == NOTHING and set(states.values()) == {TRAINED}


def test_the_shapes_of_what_ships():
    checkpoints = load_all(SHIPPED / "first")
    architecture, width = read_architecture(checkpoints), checkpoints["learned"].preset.decoder.image_units
    photograph, cnn, grid = architecture.trunk
    assert photograph.shape == (260, 260, 3) and grid.shape == cnn.shape == (9, 9, 1280) and cnn.state == FROZEN
    projection = architecture.columns[0].layers[0]
    assert projection.shape == (81, width) and projection.parameters == 1281 * width
    tables = {name: checkpoint.table.vectors.size for name, checkpoint in checkpoints.items()}
    assert len({column.parameters - tables[column.variant.name] for column in architecture.columns}) == 1


def test_the_cnn_is_counted_as_keras_counts_it(encoder):
    from captioner.vision import efficientnet_lite2

    network = efficientnet_lite2.build(efficientnet_lite2.read_weights(), 64)
    mark = EncoderMark(LITE2, encoder.fingerprint, 2, 2, MARK.channels)
    assert read(mark=mark)[1].trunk[1].parameters == network.count_params()
    adapted = read(mark=replace(mark, name=ADAPTED))[1].trunk[1]
    assert adapted.parameters == network.count_params() and "trained on once" in adapted.role
    assert "trained on once" not in read(mark=mark)[1].trunk[1].role


def test_a_network_whose_weights_are_not_here_is_not_counted():
    photograph, cnn, _ = read()[1].trunk
    assert photograph.shape == (224, 224, 3) and cnn.parameters is None


def test_what_does_not_fit_is_refused_in_a_sentence():
    checkpoint = small_checkpoint(mark=MARK)
    with pytest.raises(CheckpointError, match="'lstm1/bias' is on one side only"):
        settings = replace(checkpoint.preset, decoder=replace(checkpoint.preset.decoder, layers=2))
        read_architecture({"learned": replace(checkpoint, preset=settings)})
    with pytest.raises(CheckpointError, match="'extra/kernel' is on one side only"):
        read_architecture({"learned": replace(checkpoint, weights={**checkpoint.weights, "extra/kernel": np.zeros(2)})})
    with pytest.raises(EncoderError, match="no encoder 'stub'"):
        read_architecture({"learned": small_checkpoint()})


def test_sizes_as_text():
    assert size((9, 9, 1280)) == "9 × 9 × 1,280" and size((7,)) == "7"
