"""The queue: order, bound and closing; the batcher: nothing lost, mixed up or spoiled by its neighbours."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from captioner.errors import BusyError
from captioner.service.queue import Batcher, WorkQueue
from support.serving import wait


@pytest.fixture
def closed():
    """A queue whose one worker waits until `free` is set."""
    queue, free = WorkQueue(1, waiting=3), threading.Event()
    begun = threading.Event()
    queue.put(lambda: begun.set() or free.wait(10))
    assert begun.wait(10)
    yield queue, free
    free.set()
    queue.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_requests_begin_in_their_order_and_no_more_at_once_than_there_are_workers(workers):
    queue, order, inside, most = WorkQueue(workers), [], [], []
    leave = threading.Event()

    def visit(number):
        order.append(number)
        inside.append(number)
        most.append(len(inside))
        leave.wait(10)
        inside.remove(number)

    with ThreadPoolExecutor(8) as visitors:
        for number in range(8):
            visitors.submit(queue.run, visit, number)
            wait(lambda: (len(order), queue.waiting) == (min(number + 1, workers), max(number + 1 - workers, 0)))
        assert order == list(range(workers)) and queue.waiting == 8 - workers
        leave.set()
    assert max(most) == workers and queue.waiting == 0 and not inside
    assert order == list(range(8)) if workers == 1 else set(order) == set(range(8))  # Several begin at one moment.


def test_a_full_queue_says_how_many_wait_and_takes_a_request_again_when_there_is_room(closed):
    queue, free = closed
    with ThreadPoolExecutor(3) as visitors:
        waiting = [visitors.submit(queue.run, str, number) for number in range(3)]
        wait(lambda: queue.waiting == 3)
        with pytest.raises(BusyError, match=r"The server is busy \(3 requests queued\)\. Try again in a minute\."):
            queue.run(pytest.fail, "begun")
        free.set()
        assert [one.result(10) for one in waiting] == ["0", "1", "2"]
    assert queue.run(int, "4") == 4


def test_a_call_that_fails_raises_its_error_and_frees_its_worker():
    queue = WorkQueue(1)
    for _ in range(3):
        with pytest.raises(KeyError):
            queue.run({}.__getitem__, "missing")
    assert queue.run(len, "four") == 4 and queue.waiting == 0
    queue.close()


class Doubling:
    """Doubles numbers and remembers its batches; refuses a number below zero."""

    def __init__(self, seconds=0.0):
        self.batches, self.seconds = [], seconds

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        time.sleep(self.seconds)
        if min(numbers) < 0:
            raise ValueError(f"{min(numbers)} is too small")
        return [2 * number for number in numbers]


def batcher(work, most=3, patience=0.0, turns=1, queue=None):
    return Batcher(queue or WorkQueue(turns, 1000), work, most, patience, turns)


def results(futures):
    return [future.result(10) for future in futures]


def test_each_item_gets_its_own_result():
    work = Doubling(0.001)
    shared, found = batcher(work, most=7, patience=0.005, turns=2), {}

    def ask(first):
        for number in range(first, first + 20):
            (found[number],) = results(shared.submit([number]))

    with ThreadPoolExecutor(20) as clients:
        list(clients.map(ask, range(0, 400, 20)))
    assert found == {number: 2 * number for number in range(400)}
    assert sorted(number for batch in work.batches for number in batch) == list(range(400))
    assert max(map(len, work.batches)) <= 7 and len(work.batches) < 400


def test_batches_are_full_and_in_order_and_a_single_item_waits_no_longer_than_agreed():
    work = Doubling()
    assert results(batcher(work).submit(range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert work.batches == [[0, 1, 2], [3, 4, 5], [6]]
    start = time.monotonic()
    assert results(batcher(work, most=100, patience=0.05).submit([4])) == [8]
    assert 0.04 < time.monotonic() - start < 5


def test_no_more_batches_run_at_once_than_there_are_turns_though_the_queue_has_more_workers():
    running, most = [], []

    def work(items):
        running.append(items)
        most.append(len(running))
        time.sleep(0.02)
        running.remove(items)
        return items

    assert len(results(batcher(work, most=2, turns=2, queue=WorkQueue(5)).submit(range(20)))) == 20
    assert max(most) == 2


def test_a_batch_is_one_turn_and_a_visitor_waits_for_one_turn_only(closed):
    queue, free = closed
    order = []
    items = batcher(lambda items: order.append(len(items)) or items, most=1, queue=queue)
    futures = items.submit([1, 2])
    with ThreadPoolExecutor(1) as visitor:
        visitor.submit(queue.run, order.append, "visitor")
        wait(lambda: queue.waiting == 3)
        with pytest.raises(BusyError):  # They share one bound, too.
            items.submit([3])
        free.set()
        assert results(futures) == [1, 2]
    assert order == [1, "visitor", 1]


def test_one_that_fails_does_not_spoil_it_for_the_others():
    work = Doubling()
    good, bad, other = batcher(work).submit([1, -1, 3])
    assert results([good, other]) == [2, 6]
    with pytest.raises(ValueError, match="-1 is too small"):
        bad.result(10)
    assert work.batches == [[1, -1, 3], [1], [-1], [3]]


def test_past_the_bound_none_of_several_is_accepted(closed):
    queue, free = closed
    work = Doubling()
    items = batcher(work, queue=queue)
    futures = items.submit([1, 2])
    with pytest.raises(BusyError, match="2 requests"):
        items.submit([3, 4])
    futures += items.submit([5])
    free.set()
    assert results(futures) == [2, 4, 10] and work.batches == [[1, 2, 5]]


def test_closing_finishes_what_was_accepted_and_accepts_no_more():
    work, queue = Doubling(0.02), WorkQueue(2)
    items = batcher(work, most=2, turns=2, queue=queue)
    futures = items.submit(range(5))
    queue.close()
    assert all(future.done() for future in futures) and results(futures) == [0, 2, 4, 6, 8]
    for refused in (lambda: items.submit([6]), lambda: queue.run(int)):
        with pytest.raises(BusyError, match="stopping"):
            refused()


def test_a_cancelled_item_is_skipped(closed):
    queue, free = closed
    work = Doubling()
    first, second, third = batcher(work, most=1, queue=queue).submit([1, 2, 3])
    assert second.cancel()
    free.set()
    assert results([first, third]) == [2, 6] and work.batches == [[1], [3]]
