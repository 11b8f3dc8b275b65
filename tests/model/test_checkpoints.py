"""Checkpoints there and back, and damaged ones: each damage has an error message."""

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from captioner.config import FIRST, REWARD
from captioner.errors import CheckpointError
from captioner.model.blueprint import parts, weight_shapes
from captioner.model.checkpoints import Checkpoint, EncoderMark, finished_history, load, load_all, save
from captioner.model.stage_folders import peek_settings, stage_folder, stages_in
from captioner.storage import exists
from captioner.vocabulary import SPECIAL_WORDS, Vocabulary
from embeddings.table import learned_start
from support.fakes import SMALL_DECODER, StubEncoder, small_preset

VOCABULARY = Vocabulary((*SPECIAL_WORDS, "a", "dog", "runs"))
HISTORY = {"state": "finished", "epochs": []}


def make(variant="learned", seed=1, vocabulary=VOCABULARY):
    """A checkpoint with random weights."""
    table = learned_start(vocabulary.words, SMALL_DECODER.embedding_dimensions, 0.1, seed)
    shapes = weight_shapes(parts(SMALL_DECODER, StubEncoder.channels, len(vocabulary)))
    random = np.random.default_rng(seed)
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    mark = EncoderMark.of(StubEncoder())
    return Checkpoint(variant, seed, small_preset(), mark, vocabulary, table, weights, {"subwords.safetensors": b"more"})


@pytest.fixture(scope="module")
def made():
    return {variant: make(variant) for variant in ("learned", "word2vec", "fasttext")}


@pytest.fixture
def folder(tmp_path, made):
    save(tmp_path / "learned", made["learned"], HISTORY)
    return tmp_path / "learned"


def put(folder, name, data):
    """Replace a file and sign it anew, as somebody would who knows how."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change(folder, *keys, value):
    """Replace one entry of config.json."""
    config = json.loads((folder / "config.json").read_bytes())
    part = config
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    put(folder, "config.json", json.dumps(config).encode())


def reweigh(folder, **changes):
    """Replace tensors of the decoder; None takes one away."""
    tensors = load_tensors((folder / "decoder.safetensors").read_bytes()) | {
        name.replace("__", "/"): value for name, value in changes.items()
    }
    put(folder, "decoder.safetensors", save_tensors({name: value for name, value in tensors.items() if value is not None}))


def drop(folder, name):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["files"][name]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_there_and_back(folder, made):
    given, found = made["learned"], load(folder)
    assert (found.variant, found.seed, found.preset, found.encoder) == (given.variant, given.seed, given.preset, given.encoder)
    assert found.vocabulary.words == VOCABULARY.words and found.extra == {"subwords.safetensors": b"more"}
    np.testing.assert_allclose(found.table.vectors, given.table.vectors, rtol=1e-3, atol=1e-6)
    assert set(found.weights) == set(given.weights) and "decoder/table" not in found.weights
    decoder = found.build()
    for variable in decoder.weights:
        if variable is not decoder.table:
            np.testing.assert_array_equal(variable.numpy(), given.weights[variable.path].astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(decoder.table.numpy(), found.table.vectors)
    assert json.loads((folder / "history.json").read_bytes()) == HISTORY


def test_the_history_comes_with_the_checkpoint_at_once(tmp_path, made, monkeypatch):
    """A cut right after the folder is there finds the history in it."""
    from captioner import storage

    def cut(path):
        if path == tmp_path:
            raise KeyboardInterrupt

    monkeypatch.setattr(storage, "_flush_folder", cut)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "learned", made["learned"], HISTORY)
    assert exists(tmp_path / "learned") and json.loads((tmp_path / "learned" / "history.json").read_bytes()) == HISTORY


def header(size):
    return struct.pack("<Q", size)


def tensors_that_lie(name, end):
    """A safetensors file whose header promises more than there is."""
    text = json.dumps({name: {"dtype": "F16", "shape": [end // 2], "data_offsets": [0, end]}}).encode()
    return header(len(text)) + text + bytes(16)


MIXED_WORDS = [*VOCABULARY.words[:4], "dog", "a", "runs"]
OTHER_WORDS = list(Vocabulary((*SPECIAL_WORDS, "a", "cat", "runs")).words)
DAMAGES = {
    "a wrong hash": lambda folder: (folder / "decoder.safetensors").write_bytes(b"other"),
    "a missing file": lambda folder: (folder / "vocabulary.json").unlink(),
    "a file not in the manifest": lambda folder: drop(folder, "vocabulary.json"),
    "no table": lambda folder: drop(folder, "table.safetensors"),
    "an empty file": lambda folder: put(folder, "decoder.safetensors", b""),
    "a header of 2 ** 40 bytes": lambda folder: put(folder, "decoder.safetensors", header(2**40) + b"{}"),
    "a tensor of 2 ** 40 bytes": lambda folder: put(folder, "decoder.safetensors", tensors_that_lie("words/bias", 2**40)),
    "a table of 2 ** 40 bytes": lambda folder: put(folder, "table.safetensors", tensors_that_lie("vectors", 2**40)),
    "a pickle": lambda folder: put(folder, "decoder.safetensors", b"\x80\x02cos\nsystem\n."),
    "other words": lambda folder: put(folder, "vocabulary.json", json.dumps(OTHER_WORDS).encode()),
    "words in another order": lambda folder: put(folder, "vocabulary.json", json.dumps(MIXED_WORDS).encode()),
    "words that are no list": lambda folder: put(folder, "vocabulary.json", b"7"),
    "words that are lists": lambda folder: put(folder, "vocabulary.json", b'["<pad>", "<start>", "<end>", "<unk>", ["a"]]'),
    "settings nested deeply": lambda folder: put(folder, "config.json", b'{"format":' * 10_000 + b"1" + b"}" * 10_000),
    "settings that are a list": lambda folder: put(folder, "config.json", b"[]"),
    "settings that are empty": lambda folder: put(folder, "config.json", b"{}"),
    "settings that are no JSON": lambda folder: put(folder, "config.json", b"\xff"),
    "another format": lambda folder: change(folder, "format", value=2),
    "an unknown variant": lambda folder: change(folder, "variant", value="glove"),
    "a variant that is a list": lambda folder: change(folder, "variant", value=["learned"]),
    "an unknown stage": lambda folder: change(folder, "stage", value="third"),
    "a stage that is a list": lambda folder: change(folder, "stage", value=["first"]),
    "an endless seed": lambda folder: change(folder, "seed", value=float("inf")),
    "an unknown setting": lambda folder: change(folder, "preset", "decoder", "gates", value=4),
    "a setting of another type": lambda folder: change(folder, "preset", "decoder", "units", value="8"),
    "a decoder of another size": lambda folder: change(folder, "preset", "decoder", "units", value=16),
    "a decoder larger than memory": lambda folder: change(folder, "preset", "decoder", "units", value=10**9),
    "a decoder that cannot be": lambda folder: change(folder, "preset", "decoder", "image_entry", value="post"),
    "vectors of another width": lambda folder: change(folder, "preset", "decoder", "embedding_dimensions", value=7),
    "no encoder": lambda folder: change(folder, "encoder", value=None),
    "an encoder with more to it": lambda folder: change(folder, "encoder", "weights", value="x"),
    "an encoder of many channels": lambda folder: change(folder, "encoder", "channels", value=10**12),
    "an encoder of other channels": lambda folder: change(folder, "encoder", "channels", value=7),
    "an encoder without a number": lambda folder: change(folder, "encoder", "rows", value="3"),
    "weights that are no numbers": lambda folder: reweigh(folder, words__bias=np.full(7, np.nan, np.float16)),
    "weights without end": lambda folder: reweigh(folder, words__bias=np.full(7, np.inf, np.float16)),
    "weights of another shape": lambda folder: reweigh(folder, words__bias=np.zeros(8, np.float16)),
    "weights turned around": lambda folder: reweigh(folder, hidden__kernel=np.zeros((5, 16), np.float16)),
    "weights that are whole numbers": lambda folder: reweigh(folder, words__bias=np.zeros(7, np.int64)),
    "weights missing": lambda folder: reweigh(folder, words__bias=None),
    "weights too many": lambda folder: reweigh(folder, more=np.zeros(3, np.float16)),
    "a path out of the folder": lambda folder: (folder / "manifest.json").write_text('{"format": 1, "files": {"../x": "0"}}'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_a_sentence(folder, damage):
    damage(folder)
    with pytest.raises(CheckpointError) as error:
        load(folder).arrays()
    sentence = str(error.value)
    assert sentence.endswith(".") and "\n" not in sentence, sentence
    assert "copy" in sentence.lower() or "this version reads" in sentence, sentence


FILES = ("config.json", "vocabulary.json", "decoder.safetensors", "table.json", "table.safetensors", "manifest.json")
FLIPS = 100


def turned(data, places):
    """The same bytes with one of them turned over, at so many places spread over all of them."""
    for place in np.linspace(0, len(data) - 1, places).astype(int):
        yield data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_byte_anywhere_is_noticed(folder, name):
    whole = (folder / name).read_bytes()
    for data in (*turned(whole, FLIPS), whole[: len(whole) // 2], b""):
        (folder / name).write_bytes(data)
        with pytest.raises(CheckpointError) as error:
            load(folder)
        assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_wrong_byte_that_was_signed_is_a_sentence_or_another_decoder(folder, name):
    """Who changes the hashes too may change the decoder, but can make nothing else of the program."""
    whole, refused = (folder / name).read_bytes(), 0
    for data in turned(whole, FLIPS):
        put(folder, name, data)
        try:
            load(folder).arrays()
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error) and str(error).endswith(".")
    assert refused > 0


@pytest.mark.parametrize("shared", [False, True])
def test_a_file_swapped_with_another_variants(tmp_path, made, shared):
    """Every file of one decoder under the hashes of the other, and then signed anew."""
    for variant in ("learned", "word2vec"):
        save(tmp_path / variant, made[variant], HISTORY)
    for name in FILES[:-1]:
        before, other = (tmp_path / "learned" / name).read_bytes(), (tmp_path / "word2vec" / name).read_bytes()
        if before != other:
            (put if shared else lambda folder, name, data: (folder / name).write_bytes(data))(tmp_path / "learned", name, other)
            if not shared or name == "config.json":
                with pytest.raises(CheckpointError, match="sha256 differs" if not shared else "holds the decoder 'word2vec'"):
                    load_all(tmp_path, ("learned",))
            put(tmp_path / "learned", name, before)


def test_a_file_of_another_decoder(tmp_path, folder, made):
    """Swapped with its hash, a table of the same words passes; weights without a place of their own do not."""
    save(tmp_path / "word2vec", replace(made["word2vec"], vocabulary=Vocabulary(OTHER_WORDS)), HISTORY)
    for name in ("decoder.safetensors", "table.safetensors", "vocabulary.json", "config.json"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes((tmp_path / "word2vec" / name).read_bytes() + b" ")
        with pytest.raises(CheckpointError, match=f"{name} of learned has changed"):
            load(folder)
        (folder / name).write_bytes(before)
    put(folder, "vocabulary.json", (tmp_path / "word2vec" / "vocabulary.json").read_bytes())
    with pytest.raises(CheckpointError, match="belongs to another run"):
        load(folder)


def test_a_weight_too_large_for_its_type(made):
    weights = dict(made["learned"].weights) | {"words/bias": np.full(7, 1e300)}
    with pytest.raises(CheckpointError, match="'words/bias' of learned is not all finite"), np.errstate(over="ignore"):
        replace(made["learned"], weights=weights).arrays()


def test_all_decoders_of_a_folder(tmp_path, made):
    with pytest.raises(CheckpointError, match="no trained decoder in .*learned, word2vec, fasttext"):
        load_all(tmp_path)
    for variant in ("word2vec", "learned"):
        save(tmp_path / variant, made[variant], HISTORY)
    assert list(load_all(tmp_path)) == ["learned", "word2vec"]
    assert list(load_all(tmp_path, ("word2vec",))) == ["word2vec"]
    with pytest.raises(CheckpointError, match="no checkpoint in fasttext"):
        load_all(tmp_path, ("learned", "fasttext"))


def slotted(checkpoint):
    preset = checkpoint.preset
    return replace(checkpoint, preset=replace(preset, decoder=replace(preset.decoder, word_slots=4)))


OTHER_MARK = replace(EncoderMark.of(StubEncoder()), fingerprint="f")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (lambda: make("word2vec", vocabulary=Vocabulary(OTHER_WORDS)), "come from different runs"),
        (lambda: replace(make("word2vec"), encoder=OTHER_MARK), "come from different runs"),
        (lambda: replace(make("word2vec"), stage=REWARD), r"learned \(first\) and word2vec \(reward\) are of different stages"),
        (lambda: slotted(make("word2vec")), "learned and word2vec differ in their word slots"),
        (lambda: make("fasttext"), "folder word2vec holds the decoder 'fasttext'"),
    ],
)
def test_decoders_that_do_not_belong_together(tmp_path, made, other, sentence):
    save(tmp_path / "learned", made["learned"], HISTORY)
    save(tmp_path / "word2vec", other(), HISTORY)
    with pytest.raises(CheckpointError, match=sentence):
        load_all(tmp_path)


@pytest.fixture
def staged(tmp_path, made):
    """A folder with decoders of both stages, side by side."""
    for stage in (FIRST, REWARD):
        save(tmp_path / "staged" / stage / "learned", replace(made["learned"], stage=stage), HISTORY)
    return tmp_path / "staged"


def test_the_stage_is_kept_and_what_names_none_is_of_the_first(staged):
    folder = staged / REWARD / "learned"
    assert load(folder).stage == REWARD
    config = json.loads((folder / "config.json").read_bytes())
    del config["stage"]
    put(folder, "config.json", json.dumps(config).encode())
    assert load(folder).stage == FIRST


def test_a_stage_is_chosen_and_the_last_one_where_none_is(staged):
    assert stages_in(staged) == (FIRST, REWARD)
    assert stage_folder(staged) == stage_folder(staged, REWARD) == staged / REWARD
    assert stage_folder(staged, FIRST) == stage_folder(staged / FIRST) == staged / FIRST
    assert [load_all(staged, stage=stage)["learned"].stage for stage in (None, FIRST)] == [REWARD, FIRST]
    (staged / REWARD / "learned" / "manifest.json").unlink()  # As while it is being trained.
    assert stage_folder(staged) == staged / FIRST


def test_a_folder_of_decoders_is_taken_as_it_is_when_they_are_of_the_stage(staged, tmp_path):
    for stage in (FIRST, REWARD):
        run = (staged / stage).rename(tmp_path / f"run {stage}")
        assert stages_in(run) == () and stage_folder(run) == stage_folder(run, stage) == run
    assert stage_folder(tmp_path / "empty", REWARD) == tmp_path / "empty", "what is missing is told by who looks for decoders"


def test_a_stage_that_is_not_there_is_a_sentence(staged, tmp_path):
    run = (staged / REWARD).rename(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"stage 'reward' in .*, only of 'first'; choose .*train --stage reward --from"):
        stage_folder(staged, REWARD)
    with pytest.raises(CheckpointError, match=r"stage 'first' in .*run, only of 'reward'; choose --stage reward, or train"):
        load_all(run, stage=FIRST)
    (run / "learned" / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="settings of learned name no stage"):
        stage_folder(run, FIRST)


EPOCH = {"epoch": 1, "train_loss": 3.0, "dev_loss": 3.1, "seconds": 2.0, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": []},
        {"epochs": [{}]},
        {"epochs": [EPOCH | {"dev_loss": float("nan")}]},
        {"epochs": [EPOCH | {"seconds": "long"}]},
        {"epochs": 7},
        {"best_epoch": 2},
        {"earlier": 1},
        {"earlier": None},
    ],
)
def test_a_damaged_history_is_told(tmp_path, change):
    whole = {"epochs": [EPOCH], "earlier": 0, "best_epoch": 1}
    (tmp_path / "history.json").write_text(json.dumps(whole))
    assert finished_history(tmp_path) == whole
    (tmp_path / "history.json").write_text(json.dumps(whole | change))
    with pytest.raises(CheckpointError, match="history.json in .* is not that of a finished training; copy it again"):
        finished_history(tmp_path)


def test_settings_tell_something_before_anything_is_loaded(folder, made):
    """Those of the first decoder in the usual order; whatever is wrong with them, what is told otherwise."""
    save(folder.parent / "random", replace(made["learned"], variant="random", seed=9), HISTORY)

    def seed(config):
        return config["seed"]

    assert peek_settings(folder.parent, seed, 0) == 1 and peek_settings(folder.parent / "nowhere", seed, 0) == 0
    for damaged in (b"[]", b"{}", b"no", b"3"):
        (folder / "config.json").write_bytes(damaged)
        assert peek_settings(folder.parent, seed, 0) == 0
    (folder / "config.json").unlink()
    assert peek_settings(folder.parent, seed, 0) == 9
