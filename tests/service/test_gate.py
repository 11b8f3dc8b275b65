"""Who passes, who waits, in which order, and who is sent away."""

import threading
import time

import pytest

from captioner.errors import BusyError
from captioner.service.gate import Gate


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_pass_at_once_and_the_others_in_the_order_in_which_they_came(at_once):
    gate, order, inside, most = Gate(at_once), [], [], []
    leave = threading.Event()

    def visit(number):
        with gate.passing():
            order.append(number)
            inside.append(number)
            most.append(len(inside))
            leave.wait(10)
            inside.remove(number)

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=visit, args=(number,)))
        threads[-1].start()
        wait_until(lambda: len(order) + gate.waiting == number + 1)
    assert order == list(range(at_once)) and gate.waiting == 8 - at_once
    leave.set()
    for thread in threads:
        thread.join(10)
    assert max(most) == at_once and gate.waiting == 0 and not inside
    assert order == list(range(8)) if at_once == 1 else set(order) == set(range(8))  # Several are let in at one moment.


def test_past_the_bound_a_sentence():
    gate, leave = Gate(1, waiting=1), threading.Event()

    def visit():
        with gate.passing():
            leave.wait(10)

    threads = [threading.Thread(target=visit) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: gate.waiting == 1)
    with pytest.raises(BusyError, match="1 others are waiting for their captions"), gate.passing():
        pytest.fail("let in")
    leave.set()
    for thread in threads:
        thread.join(10)
    with gate.passing():
        assert gate.waiting == 0


def test_who_fails_gives_the_place_back():
    gate = Gate(1, waiting=0)
    for _ in range(3):
        with pytest.raises(KeyError), gate.passing():
            raise KeyError
    with gate.passing():
        pass
