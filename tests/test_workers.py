"""Several workers without several processes: their places, their parts, what they tell each other, and that parts add up."""

import json
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from standins import SMALL_DECODER, small_preparation, small_preset

from captioner.__main__ import main
from captioner.epochs import Epoch, Progressed
from captioner.errors import ConfigError, TrainingError
from captioner.shared_training import SharedTrainer, pack_begun, unpack_begun
from captioner.workers import Alone, Part, Place, Workers, _interruptible, find_place, join, refuse_several

TWO = {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}


def environment(config):
    return {"TF_CONFIG": config if isinstance(config, str) else json.dumps(config)}


def changed(**task):
    return TWO | {"task": TWO["task"] | task}


def test_a_place_among_several():
    assert find_place(environment(TWO)) == Place(1, ("a:2222", "b:2222"))
    chief = {"cluster": {"worker": ["b:1", "c:1"], "chief": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    assert find_place(environment(chief)) == Place(2, ("a:1", "b:1", "c:1"))
    assert find_place(environment(chief | {"task": {"type": "chief", "index": 0}})).number == 0


def test_who_is_alone():
    one = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    assert [find_place(where) for where in ({}, environment(""), environment("{}"), environment(one))] == [None] * 4


@pytest.mark.parametrize(
    "config",
    [
        "worker 1", "[1]", "3", json.dumps({"cluster": TWO["cluster"]}), json.dumps({"task": TWO["task"]}),
        changed(index=2), changed(index=-1), changed(index="1"), changed(index=True),
        changed(type="ps"), changed(type="evaluator"),
        TWO | {"cluster": {"worker": "a:2222"}}, TWO | {"cluster": {"worker": ["a", "b"]}},
        TWO | {"cluster": {"worker": ["a:1", "b:99999"]}}, TWO | {"cluster": {"worker": ["a:1", "a:1"]}},
        TWO | {"cluster": {"worker": ["a:1", 7]}}, TWO | {"cluster": TWO["cluster"] | {"ps": ["c:1"]}}, "[" * 100_000,
    ],
    ids=lambda config: str(config)[:60],
)  # fmt: skip
def test_a_place_that_makes_no_sense(config):
    with pytest.raises(ConfigError, match="TF_CONFIG must be JSON such as") as told:
        find_place(environment(config))
    example = str(told.value).split("such as ")[1].rpartition(", with")[0]
    assert find_place(environment(example)).number == 0


def test_what_one_process_does_alone(monkeypatch, capsys, tmp_path):
    refuse_several("A study", {})
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    somewhere = ["--data", "shapes", "--from", str(tmp_path)]
    for work, arguments in (
        ("The second stage", ["train", "--stage", "reward", *somewhere]),
        ("Adapting the encoder", ["adapt", *somewhere]),
        ("A study", ["study", "--data", "shapes"]),
    ):
        assert main(arguments) == 2
        assert f"triptych: {work} is the work of one process" in capsys.readouterr().err
    monkeypatch.setenv("TF_CONFIG", "two of them")
    assert main(["train", "--data", "shapes"]) == 2
    assert "TF_CONFIG must be JSON" in capsys.readouterr().err


class Meeting:
    """Where workers meet that are threads of one process."""

    def __init__(self, count):
        self.barrier, self.brought = threading.Barrier(count), [None] * count

    def of_all(self, find):
        """What each of them finds, or the error it ends with."""
        found = [None] * len(self.brought)

        def run(number):
            try:
                found[number] = find(InThreads(number, self))
            except Exception as error:
                found[number] = error

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


class InThreads(Workers):
    """All of a worker but the way on which numbers are added up."""

    def __init__(self, number, meeting):
        self.part, self.meeting = Part(number, len(meeting.brought)), meeting

    def sum(self, values):
        self.meeting.brought[self.part.number] = values
        self.meeting.barrier.wait(60)
        added = tf.add_n(list(self.meeting.brought))
        self.meeting.barrier.wait(60)
        return added


@pytest.mark.parametrize("data", [b"", b"x", b"abcd", bytes(range(256)) * 41 + b"\xff"], ids=len)
def test_all_hear_what_the_first_found(data):
    def find(workers):
        asked = []
        heard = workers.share(lambda: asked.append(1) or data, bytes, lambda said: said + b"!")
        return heard, len(asked)

    assert Meeting(3).of_all(find) == [(data, 1), (data + b"!", 0), (data + b"!", 0)]
    assert Alone().share(lambda: data, None, None) == data


def test_all_end_with_the_sentence_that_the_first_ends_with():
    def refuse():
        raise ConfigError("There is no café.")

    found = Meeting(2).of_all(lambda workers: workers.share(refuse, None, None))
    assert [(type(error), str(error)) for error in found] == [
        (ConfigError, "There is no café."), (TrainingError, "There is no café."),
    ]  # fmt: skip


def test_workers_that_mean_different_things_all_end():
    assert Meeting(3).of_all(lambda workers: workers.agree("same", "data")) == [None] * 3
    found = Meeting(3).of_all(lambda workers: workers.agree(str(workers.part.number == 2), "data or settings"))
    assert [str(error).split(";")[0] for error in found] == ["Worker 2 of 3 has other data or settings than worker 0"] * 3


@pytest.mark.parametrize("kind", ["Unavailable", "DeadlineExceeded", "Aborted", "Cancelled", "Internal"])
def test_who_no_longer_answers_is_told_of_in_a_sentence(kind):
    workers = InThreads(0, Meeting(3))
    with pytest.raises(TrainingError, match="^One of the 3 workers no longer answers; start all of them again, with --resume"):
        with workers._answering():
            raise getattr(tf.errors, f"{kind}Error")(None, None, "connection reset by peer")
    with pytest.raises(tf.errors.InvalidArgumentError), workers._answering():  # This one would be a mistake of ours.
        raise tf.errors.InvalidArgumentError(None, None, "shapes differ")


def test_joining(monkeypatch):
    def fail(**_):
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert type(join()) is Alone
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", fail)
    with pytest.raises(TrainingError, match="Worker 1 could not join the 2 of TF_CONFIG; see that its address b:2222 is this"):
        join()


def test_waiting_can_be_interrupted_and_a_plain_kill_ends_a_worker():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with _interruptible():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, lambda *_: None)  # As TensorFlow does.
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.fixture(scope="module")
def preparation(tmp_path_factory):
    return small_preparation(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def examples(preparation):
    from captioner.training import Examples

    return tuple(Examples.of(part, preparation.vocabulary, preparation.cache) for part in (preparation.train, preparation.dev))


def trainer(preparation, kind=SharedTrainer, dropout=0.0, workers=Alone(), **changes):
    from captioner.decoder import Decoder

    config = replace(SMALL_DECODER, dropout=dropout, feature_dropout=dropout)
    table, _ = preparation.table("learned", 1)
    decoder = Decoder(config, table.vectors, preparation.encoder.channels, False, 1)
    settings = small_preset(word_dropout=0.0, learning_rate=0.05, **changes).training
    return kind(decoder, settings, 1, 3, *([workers] if kind is SharedTrainer else []))


def parts_of(preparation, examples, count, **changes):
    from captioner.training import batches

    config = small_preset(**{"word_dropout": 0.0} | changes).training
    return [list(batches(examples[0], config, 1, 1, preparation.views, Part(number, count))) for number in range(count)]


@pytest.mark.parametrize(("count", "at_once"), [(2, 5), (3, 4), (4, 5), (5, 4)])
def test_parts_make_up_every_batch(preparation, examples, count, at_once):
    """Twelve photographs; where a batch has fewer than there are workers, the last ones get none."""
    (whole,) = parts_of(preparation, examples, 1, images_per_batch=at_once)
    parts = parts_of(preparation, examples, count, images_per_batch=at_once)
    for step, (features, packed) in enumerate(whole):
        given = [part[step] for part in parts if part[step] is not None]
        assert len(given) == min(count, len(features))
        for number, (own, _) in enumerate(given):
            np.testing.assert_array_equal(own, features[number::count])
        assert sorted(word for _, own in given for word in own.targets) == sorted(packed.targets)
    assert sum(len(features) for features, _ in whole) == 12


def test_workers_drop_other_words_and_draw_other_masks(preparation, examples):
    parts = parts_of(preparation, examples, 2, images_per_batch=12, word_dropout=0.5)
    kept = parts_of(preparation, examples, 2, images_per_batch=12)
    dropped = [(own[0][1].words != full[0][1].words) for own, full in zip(parts, kept, strict=True)]
    assert all(0.2 < mask.mean() < 0.8 for mask in dropped)
    assert dropped[0].shape != dropped[1].shape or (dropped[0] != dropped[1]).any()
    seeds = set()
    for number in range(8):
        one = trainer(preparation)
        one.workers = InThreads(number, Meeting(8))
        for step in range(40):
            one.optimizer.iterations.assign(step * 50)
            seeds.add(int(one._dropout_seed()))
    assert len(seeds) == 8 * 40


def plain_gradients(one, batch, smoothing):
    """Of the mean loss of a whole batch, by TensorFlow's own loss with labels spread by hand."""
    features, packed = batch
    size = one.decoder.vocabulary_size
    labels = (1 - smoothing) * tf.one_hot(packed.targets, size) + smoothing / size
    variables = [variable.value for variable in one.decoder.trainable_variables]
    with tf.GradientTape() as tape:
        logits = one.decoder.logits(tf.cast(features, tf.float32), packed.arrays(), len(packed.counts))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    gradients = tape.gradient(loss, variables)
    plain = -tf.reduce_mean(tf.gather(tf.nn.log_softmax(logits), packed.targets, batch_dims=1))
    return np.concatenate([np.ravel(tf.convert_to_tensor(gradient)) for gradient in gradients]), float(plain)


@pytest.mark.parametrize("count", [2, 5])
def test_what_the_parts_add_up_to_is_the_gradient_of_the_whole(preparation, examples, count):
    one = trainer(preparation)
    (whole,) = parts_of(preparation, examples, 1)
    for step, batch in enumerate(whole):
        added = np.sum([one.part(part[step]).numpy() for part in parts_of(preparation, examples, count)], axis=0)
        expected, loss = plain_gradients(one, batch, one.config.label_smoothing)
        words = len(batch[1].targets)
        assert added[-1] == words and added[-2] / words == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(added[:-2] / words, expected, atol=1e-6)


def test_steps_by_sums_are_those_of_one_process(preparation, examples):
    """The whole of an epoch; the weights, their averages and the optimizer's state."""
    from captioner.training import Trainer

    one, several = trainer(preparation, Trainer), trainer(preparation)
    (whole,) = parts_of(preparation, examples, 1)
    parts = parts_of(preparation, examples, 5)
    for step, batch in enumerate(whole):
        loss, words = one.learn(batch)
        told = several.move_by(tf.add_n([several.part(part[step]) for part in parts])).numpy()
        assert told[0] == pytest.approx(loss, rel=1e-5) and told[1] == words
    ended, other = one.variables(), several.variables()
    assert set(ended) == set(other)
    for name, values in ended.items():
        np.testing.assert_allclose(other[name], values, atol=1e-5, err_msg=name)
    assert one.dev_loss(examples[1]) == pytest.approx(several.dev_loss(examples[1]), abs=1e-5)


def test_threads_that_train_together_end_alike(preparation, examples):
    """A whole epoch with everything random on: what they differ in is their parts alone, and they stay bit-equal."""
    from captioner.progress import Progress

    def work(workers):
        own = trainer(preparation, dropout=0.2, workers=workers)
        if not workers.first:  # What it began with must not matter.
            for variable in own.decoder.trainable_variables:
                variable.assign(variable * 0 + 1)
        with Progress("", 1, "", shown=False) as bar:
            epoch = own.epoch(1, *examples, preparation.views, bar)
        return epoch, own.variables()

    (first, weights), (second, others) = Meeting(2).of_all(work)
    assert (first.train_loss, first.dev_loss, first.cores) == (second.train_loss, second.dev_loss, second.cores)
    assert first.cores == 2 * trainer(preparation)._cores
    assert all(weights[name].tobytes() == others[name].tobytes() for name in weights)


def test_the_others_are_told_where_a_run_begins(preparation):
    table, _ = preparation.table("learned", 1)
    epochs = [Epoch(1, 3.0, 3.5, 9.0, 0.1), Epoch(2, 2.5, 3.25, 9.0, 0.05)]
    progressed, (heard, extra) = unpack_begun(pack_begun((Progressed(epochs, before=epochs[:1]), (table, {"more": b"x"}))))
    assert (progressed.epochs, progressed.before, progressed.best_epoch, extra) == (epochs, epochs[:1], 2, {})
    assert heard.words == table.words and heard.vectors.tobytes() == table.vectors.tobytes()
    fresh, _ = unpack_begun(pack_begun((None, (table, {}))))
    assert fresh == Progressed()
