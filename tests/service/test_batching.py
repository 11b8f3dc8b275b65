"""Work done together: nothing lost, nothing mixed up, bounded, and finished before it is closed."""

import threading
import time

import pytest

from captioner.errors import BusyError
from captioner.service.batching import Batcher


class Doubling:
    """Doubles numbers and remembers which came together; refuses a number below zero."""

    def __init__(self, seconds=0.0):
        self.batches, self.seconds = [], seconds

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        time.sleep(self.seconds)
        if min(numbers) < 0:
            raise ValueError(f"{min(numbers)} is too small")
        return [2 * number for number in numbers]


def test_everybody_gets_the_answer_to_their_own_question():
    work = Doubling(0.001)
    batcher, found = Batcher(work, most=7, waiting=1000, patience=0.005, workers=2), {}

    def ask(first):
        for number in range(first, first + 20):
            found[number] = batcher.submit([number])[0].result(10)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(0, 400, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    batcher.close(10)
    assert found == {number: 2 * number for number in range(400)}
    assert sorted(number for batch in work.batches for number in batch) == list(range(400))
    assert max(map(len, work.batches)) <= 7 and len(work.batches) < 400


def test_no_worker_goes_home_because_another_took_the_work():
    there = set(threading.enumerate())
    batcher = Batcher(Doubling(), most=5, waiting=10, patience=0.01, workers=3)
    for number in range(5):
        assert batcher.submit([number])[0].result(10) == 2 * number
    time.sleep(0.05)
    assert len(set(threading.enumerate()) - there) == 3
    batcher.close(10)
    assert not any(thread.name.startswith("batch-") for thread in threading.enumerate())


def test_what_comes_together_is_done_together_and_in_order():
    work = Doubling()
    batcher = Batcher(work, most=3, waiting=10, patience=5)
    futures = batcher.submit([1, 2, 3, 4, 5, 6])
    assert [future.result(10) for future in futures] == [2, 4, 6, 8, 10, 12] and work.batches == [[1, 2, 3], [4, 5, 6]]
    batcher.close(10)


def test_nobody_waits_for_company_longer_than_agreed():
    batcher = Batcher(Doubling(), most=100, waiting=100, patience=0.05)
    start = time.monotonic()
    assert batcher.submit([4])[0].result(10) == 8
    assert 0.04 < time.monotonic() - start < 5
    batcher.close(10)


def test_one_that_fails_does_not_spoil_it_for_the_others():
    work = Doubling()
    batcher = Batcher(work, most=3, waiting=10, patience=5)
    good, bad, other = batcher.submit([1, -1, 3])
    assert good.result(10) == 2 and other.result(10) == 6
    with pytest.raises(ValueError, match="-1 is too small"):
        bad.result(10)
    assert work.batches == [[1, -1, 3], [1], [-1], [3]]
    batcher.close(10)


def test_past_the_bound_nothing_is_taken():
    work = Doubling(0.2)
    batcher = Batcher(work, most=1, waiting=3, patience=0)
    futures = batcher.submit([1])
    while batcher.length:
        time.sleep(0.001)
    futures += batcher.submit([2, 3])
    with pytest.raises(BusyError, match="2 photographs are waiting already"):
        batcher.submit([4, 5])
    futures += batcher.submit([6])
    assert [future.result(10) for future in futures] == [2, 4, 6, 12]
    batcher.close(10)


def test_closed_it_finishes_what_it_took_and_takes_no_more():
    work = Doubling(0.05)
    batcher = Batcher(work, most=2, waiting=10, patience=5)
    futures = batcher.submit([1, 2, 3, 4, 5])
    batcher.close(10)
    assert [future.result(0) for future in futures] == [2, 4, 6, 8, 10]
    with pytest.raises(BusyError, match="is being stopped"):
        batcher.submit([6])


def test_who_gave_up_is_passed_over():
    work = Doubling(0.1)
    batcher = Batcher(work, most=1, waiting=10, patience=0)
    first, second, third = batcher.submit([1, 2, 3])
    assert second.cancel() and first.result(10) == 2 and third.result(10) == 6
    batcher.close(10)
    assert work.batches == [[1], [3]]
