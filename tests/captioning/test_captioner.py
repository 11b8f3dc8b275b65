"""The Captioner against its own decoder asked the slow way, alone and in a crowd."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from captioner.config import VARIANTS, SearchConfig, find_variant
from captioner.errors import CheckpointError, ConfigError
from captioner.model.checkpoints import Checkpoint, EncoderMark, save
from captioner.vision.encoder import Seen
from captioner.vocabulary import END, PADDING, SPECIAL_WORDS, START, UNKNOWN, Vocabulary
from embeddings.subwords import SUBWORDS_FILE, Pieces, keep
from embeddings.table import learned_start
from embeddings.table_changes import shuffled, squeezed
from support.fakes import (
    COLOURS,
    MARK,
    SMALL_DECODER,
    Recogniser,
    StubEncoder,
    slotted_checkpoints,
    small_checkpoint,
    small_preset,
)

WORDS = Vocabulary((*SPECIAL_WORDS, *"a the dog cat runs sits on grass".split()))
GREEDY = SearchConfig(method="greedy", maximum_words=9)


def make(variant="learned", image_entry="attention", seed=1):
    """A checkpoint whose weights are drawn large enough for different photographs to get different captions."""
    from captioner.model.decoder import Decoder

    config = replace(SMALL_DECODER, image_entry=image_entry)
    table = learned_start(WORDS.words, config.embedding_dimensions, 1.0, seed)
    decoder = Decoder(config, table.vectors, StubEncoder.channels, find_variant(variant).frozen)
    random = np.random.default_rng(seed)
    weights = {v.path: random.normal(0, 1.0, v.shape).astype(np.float32) for v in decoder.weights if v is not decoder.table}
    weights["image/kernel"] *= 3
    weights["words/bias"][END] += 2
    preset = replace(small_preset(), decoder=config)
    return Checkpoint(variant, seed, preset, EncoderMark.of(StubEncoder()), WORDS, table, weights)


@pytest.fixture(scope="module")
def captioner():
    from captioner.captioning.captioner import Captioner

    return Captioner(StubEncoder(), {name: make(name, seed=seed) for seed, name in enumerate(VARIANTS)})


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (2, 3, 3), np.uint8).repeat(20, 0).repeat(11, 1) for _ in range(8)]


def plain(caption):
    return caption.text, pytest.approx(caption.log_probability, abs=1e-4), pytest.approx(caption.word_log_probabilities, abs=1e-4)


def slowly(decoder, features, most):
    """Greedy captioning that computes the whole prefix anew for every word."""
    from captioner.model.packing import pack

    ids, gains = [], []
    while len(ids) < most and END not in ids:
        packed = pack([[ids]])
        scores = decoder.logits(features, packed.arrays(), len(packed.counts)).numpy()[-1].astype(np.float64)
        logs = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        allowed = [word for word in range(len(logs)) if word not in (PADDING, START, UNKNOWN)]
        ids.append(max(allowed, key=lambda word: logs[word]))
        gains.append(logs[ids[-1]])
    return ids, gains


# Seeds whose weights say different things of different photographs, some of them to the end.
@pytest.mark.slow
@pytest.mark.parametrize(("image_entry", "seed"), [("attention", 5), ("merge", 3), ("init", 2), ("pre", 1)])
def test_the_fast_path_says_what_the_slow_one_says(pictures, image_entry, seed):
    from captioner.captioning.captioner import Captioner

    checkpoint = make(image_entry=image_entry, seed=seed)
    captioner, decoder = Captioner(StubEncoder(), {"learned": checkpoint}), checkpoint.build()
    texts = set()
    for picture in pictures[:4]:
        features = captioner.see([picture]).features
        ids, gains = slowly(decoder, features, GREEDY.maximum_words)
        caption = captioner.caption([picture], GREEDY)[0]["learned"][0]
        assert caption.steps == tuple(WORDS.decode(ids)) and caption.finished == (ids[-1] == END)
        assert caption.word_log_probabilities == pytest.approx(gains, abs=1e-4)
        texts.add(caption.text)
    assert len(texts) > 1, "A decoder that says one thing only shows nothing here."


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_a_picture_alone_gets_what_it_gets_among_others(captioner, pictures, method):
    config = replace(GREEDY, method=method, seed=4)
    together = captioner.caption(pictures, config)
    assert len(together) == len(pictures) and all(tuple(found) == captioner.variants == tuple(VARIANTS) for found in together)
    for picture, found in zip(pictures[:3], together, strict=False):
        alone = captioner.caption([picture], config)[0]
        for name in VARIANTS:
            assert [plain(caption) for caption in found[name]] == [
                (caption.text, caption.log_probability, caption.word_log_probabilities) for caption in alone[name]
            ]


@pytest.mark.slow
def test_many_threads_get_what_each_gets_alone(captioner, pictures):
    def texts(picture):
        found = captioner.caption([picture])[0]
        return {name: [(caption.text, caption.log_probability) for caption in captions] for name, captions in found.items()}

    alone = [texts(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        for crowd in (list(pool.map(texts, pictures)) for _ in range(3)):
            for one, other in zip(alone, crowd, strict=True):
                for name in VARIANTS:
                    assert [text for text, _ in one[name]] == [text for text, _ in other[name]]
                    assert [gain for _, gain in one[name]] == pytest.approx([gain for _, gain in other[name]], abs=1e-5)


def test_what_a_caption_tells(captioner, pictures):
    config = SearchConfig(beam=3, maximum_words=9, alternatives=4)
    for found in captioner.caption(pictures[:3], config):
        for name, captions in found.items():
            assert [caption.variant for caption in captions] == [name] * 3
            for caption in captions:
                check_caption(caption)


def check_caption(caption):
    steps, gains = len(caption.steps), caption.word_log_probabilities
    assert caption.text == " ".join(caption.words) and not set(caption.words) & set(SPECIAL_WORDS)
    assert steps == len(caption.words) + caption.finished == len(gains) == len(caption.alternatives)
    assert caption.log_probability == pytest.approx(sum(gains)) and caption.milliseconds > 0
    assert caption.attention.shape == (steps, 3, 3)
    np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, atol=1e-5)
    for word, gain, others in zip(caption.steps, gains, caption.alternatives, strict=True):
        assert len(others) == 4 and dict(others).get(word, np.exp(gain)) == pytest.approx(np.exp(gain), rel=1e-4)


def test_only_some_decoders_and_no_pictures(captioner, pictures):
    some = ["fasttext", "learned"]
    assert [list(found) for found in captioner.caption(pictures[:2], GREEDY, some)] == [some, some]
    assert captioner.caption([], GREEDY) == [] == captioner.caption_seen(Seen(np.zeros((0, 9, 6), np.float16)))
    with pytest.raises(ConfigError, match="no decoder 'glove' here; choose among learned, word2vec, fasttext"):
        captioner.caption(pictures[:1], GREEDY, ["glove"])


def test_features_of_the_cache_do_as_well(captioner, pictures):
    seen = captioner.see(pictures[:2])
    whole, half = (captioner.caption_seen(given, GREEDY) for given in (seen, Seen(seen.features.astype(np.float16))))
    for one, other in zip(whole, half, strict=True):
        assert one["learned"][0].log_probability == pytest.approx(other["learned"][0].log_probability, abs=0.05)


def test_a_folder_of_decoders(tmp_path, pictures, captioner):
    from captioner.captioning.captioner import Captioner

    for seed, name in enumerate(VARIANTS):
        save(tmp_path / name, make(name, seed=seed), {})
    loaded = Captioner.load(tmp_path, ["word2vec"], StubEncoder())
    assert loaded.variants == ("word2vec",) and loaded.stage == "first"
    found, expected = (given.caption(pictures[:1], GREEDY)[0]["word2vec"][0] for given in (loaded, captioner))
    assert found.log_probability == pytest.approx(expected.log_probability, abs=0.1)  # Stored weights have 16 bits.
    other = StubEncoder()
    other.fingerprint = "f" * 16
    with pytest.raises(CheckpointError, match=r"trained with the encoder stub \(0123456789abcdef\), but this one is stub \(ffff"):
        Captioner.load(tmp_path, encoder=other)


def test_a_network_of_keras_with_other_weights_is_told_by_its_option(tmp_path):
    from captioner.captioning.captioner import Captioner

    save(tmp_path / "learned", small_checkpoint(mark=MARK), {})
    other = StubEncoder()
    for name, sentence in (("vgg16", "; start with --encoder-weights and the file"), ("stub", "; use the encoder that they")):
        other.name, other.fingerprint = name, "f" * 16
        with pytest.raises(CheckpointError, match=sentence):
            Captioner.load(tmp_path, encoder=other)


def test_decoders_that_were_trained(tiny_run, encoder):
    from captioner.captioning.captioner import Captioner
    from captioner.data.datasets import shapes
    from captioner.data.images import read

    captioner = Captioner.load(tiny_run, encoder=encoder)
    (found,) = captioner.caption([read(shapes(0, 0, 1).split("test")[0].read())])
    for captions in found.values():
        assert set(captions[0].words) & {"a", "an", "there", "the", "one"} and captions[0].attention.shape[1:] == (9, 9)


def test_following_its_own_caption_a_decoder_repeats_its_probabilities(captioner, pictures):
    seen = captioner.see(pictures[:1])
    for name, found in captioner.caption_seen(seen, GREEDY)[0].items():
        followed = captioner.follow(seen, found[0].words, finished=found[0].finished)
        assert tuple(followed) == captioner.variants
        assert followed[name].word_log_probabilities == pytest.approx(found[0].word_log_probabilities, abs=1e-5)
        assert followed[name].words == found[0].words and followed[name].finished == found[0].finished
        assert np.allclose(followed[name].attention, found[0].attention, atol=1e-6)


def test_an_unknown_word_is_judged_as_the_unknown_word(captioner, pictures):
    seen = captioner.see(pictures[:1])
    strange, same = (captioner.follow(seen, ["a", word, "sits"]) for word in ("zebra", "<unk>"))
    for name in captioner.variants:
        assert strange[name].word_log_probabilities == same[name].word_log_probabilities
        assert strange[name].words == ("a", "<unk>", "sits")


@pytest.fixture(scope="module")
def slotted():
    from captioner.captioning.captioner import Captioner

    return Captioner(Recogniser(), slotted_checkpoints())


def coloured(*nouns):
    return [np.full((24, 24, 3), COLOURS[noun], np.uint8) for noun in nouns]


@pytest.mark.parametrize("told", [None, ("zebra",)])
def test_a_copied_word_outside_the_vocabulary_is_followed_by_its_slot(slotted, told):
    seen = slotted.see(coloured("dog" if told else "zebra"))
    found = slotted.caption_seen(seen, GREEDY, told=told)[0]["word2vec"][0]
    followed = slotted.follow(seen, found.words, finished=found.finished, told=told)
    assert "zebra" in found.words and followed["word2vec"].words == found.words
    assert followed["word2vec"].word_log_probabilities == pytest.approx(found.word_log_probabilities, abs=1e-5)
    place = found.words.index("zebra")
    assert found.copied[place].max() > 0.5 and followed["learned"].words[place] == "<unk>"  # It has no vector for the word.
    twice = slotted.follow(seen, ["zebra", "zebra"], told=told)["word2vec"]
    assert twice.words == ("zebra", "<unk>") and min(twice.word_log_probabilities) > -1000, "A word is copied once."


def test_a_beam_may_be_wider_than_the_vocabulary(slotted):
    """It then holds continuations that are impossible, some by a slot without a word."""
    few, many = (slotted.caption(coloured("dog"), SearchConfig(beam=beam, maximum_words=5))[0] for beam in (8, 12))
    for name, captions in many.items():
        assert len(captions) == 12 and all(caption.log_probability > -np.inf for caption in captions)
        assert captions[0].text == few[name][0].text


def test_a_beginning_has_the_words_of_each_photographs_own_slots(slotted):
    seen = slotted.see(coloured("dog", "zebra"))
    together = slotted.caption_seen(seen, GREEDY, beginning=("the", "zebra"))
    assert [found["word2vec"][0].words[:2] for found in together] == [("the", "<unk>"), ("the", "zebra")]
    assert [found["learned"][0].words[:2] for found in together] == [("the", "<unk>")] * 2
    candidates, path = slotted.tree(seen.part([1]), "word2vec", GREEDY, ("the", "zebra"))
    assert candidates[path[1]].word == len(slotted.vocabulary)
    assert candidates[path[-1]].total == pytest.approx(together[1]["word2vec"][0].log_probability, abs=1e-5)


def test_all_decoders_go_on_from_the_same_beginning(captioner, pictures):
    seen = captioner.see(pictures[:2])
    for found in captioner.caption_seen(seen, GREEDY, beginning=("the", "cat")):
        for name, best_first in found.items():
            assert best_first[0].words[:2] == ("the", "cat") and best_first[0].variant == name


def test_the_tree_of_a_decoder_leads_to_its_caption(captioner, pictures):
    seen, config = captioner.see(pictures[:1]), SearchConfig(beam=3, maximum_words=9)
    for name, found in captioner.caption_seen(seen, config, beginning=("the",))[0].items():
        candidates, path = captioner.tree(seen, name, config, ("the",))
        words = [captioner.vocabulary.words[candidates[number].word] for number in path]
        assert tuple(words) == found[0].steps
        assert candidates[path[-1]].total == pytest.approx(found[0].log_probability, abs=1e-5)
    with pytest.raises(ConfigError, match="no decoder 'glove'"):
        captioner.tree(seen, "glove", config)


def captions_of(captioner, pictures):
    return [best[0] for found in captioner.caption(pictures, GREEDY) for best in found.values()]


def check_alike(captions, others):
    """The same words with the same probabilities, but for rounding."""
    for one, other in zip(captions, others, strict=True):
        assert (one.variant, one.text, one.log_probability, one.word_log_probabilities) == (other.variant, *plain(other))


@pytest.mark.parametrize("kind", ["captioner", "slotted"])
def test_other_tables_give_the_captions_of_decoders_that_were_built_with_them(kind, pictures, request):
    from captioner.captioning.captioner import Captioner

    own = request.getfixturevalue(kind)
    pictures = coloured("dog", "cat", "zebra") if kind == "slotted" else pictures[:4]
    tables = {name: shuffled(checkpoint.table, 1) for name, checkpoint in own.checkpoints.items()}
    built = Captioner(own.encoder, {name: replace(own.checkpoints[name], table=table) for name, table in tables.items()})
    before, expected = captions_of(own, pictures), captions_of(built, pictures)
    assert [one.log_probability for one in before] != pytest.approx([one.log_probability for one in expected], abs=0.1)
    check_alike(captions_of(own.with_tables(tables), pictures), expected)
    check_alike(captions_of(own, pictures), before)
    some = own.with_tables({"word2vec": tables["word2vec"]})
    pairs = zip(before, expected, strict=True)
    check_alike(captions_of(some, pictures), [other if one.variant == "word2vec" else one for one, other in pairs])


def test_its_own_tables_and_all_their_directions_change_no_caption(captioner, pictures):
    tables = {name: checkpoint.table for name, checkpoint in captioner.checkpoints.items()}
    whole = {name: squeezed(table, table.dimensions) for name, table in tables.items()}
    for given in ({}, tables, whole):
        check_alike(captions_of(captioner.with_tables(given), pictures), captions_of(captioner, pictures))


def test_a_table_of_other_words_or_dimensions_or_for_no_decoder_is_refused(captioner):
    for wrong in (learned_start(WORDS.words[:-1], 6, 1.0, 1), learned_start(WORDS.words, 5, 1.0, 1)):
        with pytest.raises(CheckpointError, match="Word2Vec needs a table of its 12 words in 6 dimensions"):
            captioner.with_tables({"word2vec": wrong})
    with pytest.raises(ConfigError, match="no decoder 'glove'"):
        captioner.with_tables({"glove": captioner.checkpoints["learned"].table})


@pytest.fixture(scope="module")
def spelling():
    """Decoders of which FastText composes unseen words of pieces."""
    from captioner.captioning.captioner import Captioner

    vectors = np.random.default_rng(8).normal(0, 2, (40, SMALL_DECODER.embedding_dimensions))
    pieces = keep(Pieces(40, 3, 3), vectors, ["cattle"]).to_bytes()
    found = {name: make(name, seed=seed) for seed, name in enumerate(VARIANTS)}
    return Captioner(StubEncoder(), found | {"fasttext": replace(found["fasttext"], extra={SUBWORDS_FILE: pieces})})


def reading(captioner, variant, vector):
    """A captioner of which one decoder's row of the unknown word is this vector."""
    table = captioner.checkpoints[variant].table
    vectors = table.vectors.copy()
    vectors[UNKNOWN] = vector
    return captioner.with_tables({variant: replace(table, vectors=vectors)})


def test_a_beginning_with_a_misspelt_word_is_read_by_its_pieces(spelling, pictures):
    seen, config = spelling.see(pictures[:2]), SearchConfig(beam=3, maximum_words=9)
    read, unknown = (spelling.caption_seen(seen, config, beginning=("the", word, "sits")) for word in ("catle", "<unk>"))
    expected = reading(spelling, "fasttext", spelling._readers["fasttext"].vector("catle"))
    for found, others in zip(read, expected.caption_seen(seen, config, beginning=("the", "<unk>", "sits")), strict=True):
        for name, captions in found.items():
            check_alike(captions, others[name])
    for name in ("learned", "word2vec"):
        check_alike(read[0][name], unknown[0][name])
    one, other = (found[0]["fasttext"][0].word_log_probabilities for found in (read, unknown))
    assert one[:2] == pytest.approx(other[:2]) and one[2] != pytest.approx(other[2], abs=1e-3)
    candidates, path = spelling.tree(seen.part([0]), "fasttext", config, ("the", "catle", "sits"))
    assert candidates[path[-1]].total == pytest.approx(read[0]["fasttext"][0].log_probability, abs=1e-4)


def test_a_word_of_the_table_alone_is_read_by_its_row(slotted):
    seen = slotted.see(coloured("dog", "zebra"))
    together = slotted.caption_seen(seen, GREEDY, beginning=("the", "zebra"))
    alone = [slotted.caption_seen(seen.part([number]), GREEDY, beginning=("the", "zebra"))[0] for number in (0, 1)]
    row = slotted.checkpoints["word2vec"].table.vector("zebra")
    expected = reading(slotted, "word2vec", row).caption_seen(seen, GREEDY, beginning=("the", "<unk>"))
    check_alike(together[0]["word2vec"], expected[0]["word2vec"])
    for one, other in zip(together, alone, strict=True):
        check_alike(one["word2vec"], other["word2vec"])


@pytest.mark.parametrize("kind", ["captioner", "slotted"])
def test_the_next_words_probabilities_are_those_of_a_caption_that_is_followed(kind, pictures, request):
    own, words = request.getfixturevalue(kind), ("the", "dog", "sits", "on", "grass")
    seen = own.see(coloured("dog") if kind == "slotted" else pictures[:1])
    followed = own.follow(seen, words)
    for place, word in enumerate((*words, "<end>")):
        for name, probabilities in own.next_word(seen, words[:place]).items():
            assert probabilities.shape == (len(own.vocabulary) + own.word_slots,)
            assert probabilities.sum() == pytest.approx(1, abs=1e-5)
            gain = followed[name].word_log_probabilities[place]
            assert probabilities[own.vocabulary.id(word)] == pytest.approx(np.exp(gain), abs=1e-5)


def test_following_by_vector_reads_a_word_outside_the_vocabulary_as_a_beginning_does(slotted):
    """Word2Vec has a vector for the zebra, which no slot holds: it is scored as unknown, and the next word follows from it."""
    seen, words = slotted.see([np.full((24, 24, 3), COLOURS["dog"], np.uint8)]), ("the", "zebra", "runs")
    plain, read = (slotted.follow(seen, words, by_vector=by_vector) for by_vector in (False, True))
    begun = slotted.next_word(seen, words[:2])
    for name in slotted.variants:
        first, second = (found[name].word_log_probabilities for found in (plain, read))
        assert first[:2] == pytest.approx(second[:2]) and (first[2] == pytest.approx(second[2])) == (name == "learned")
        assert np.exp(second[2]) == pytest.approx(begun[name][slotted.vocabulary.id("runs")], rel=1e-4)
