"""Visitors without a browser, of whom there can be many: strangers' files at the page's door, and several visitors at once."""

import threading

from hardening.strangers import cut, encoded, no_pictures, odd_names, photograph
from hardening.visitor import TooLarge, Visitor

from captioner.config import VARIANTS
from captioner.data.images import MAXIMUM_BYTES
from captioner.views.photographs import MOST_AT_ONCE
from captioner.views.server import MOST_FILES


def test_every_file_ends_in_captions_or_in_a_sentence(address):
    with Visitor(address) as visitor:
        for stranger in (*cut(), *no_pictures(), *odd_names()):
            try:
                visitor.upload((stranger.name, stranger.data))
            except TooLarge:
                assert len(stranger.data) > MAXIMUM_BYTES
                continue
            captioned = len(visitor.sentences) == len(VARIANTS)
            assert not visitor.exceptions, (stranger.name, visitor.exceptions)
            assert captioned != bool(visitor.refusals), (stranger.name, visitor.refusals)
            assert stranger.good is None or captioned == stranger.good, (stranger.name, visitor.refusals)
            assert all("/" not in text for text in visitor.refusals if "WebP" not in text)


def test_visitors_at_once_read_what_each_would_read_alone(address):
    pictures = [encoded(photograph(200 + 10 * number, 150 + 7 * number), "JPEG") for number in range(4)]
    with Visitor(address) as visitor:
        alone = []
        for number, data in enumerate(pictures):
            visitor.upload((f"{number}.jpg", data))
            alone.append(visitor.sentences)
    said, problems = {}, []
    fresh = [data + b"\0" for data in pictures]  # The same pictures, as files that were never seen.

    def visit(number):
        try:
            with Visitor(address) as one:
                one.upload((f"{number}.jpg", fresh[number]))
                said[number] = one.sentences
                problems.extend(one.refusals + one.exceptions)
        except Exception as error:
            problems.append(repr(error))

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(len(fresh))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not problems and [said[number] for number in range(len(fresh))] == alone


def test_a_visit_may_send_more_in_turn_than_it_may_hold_at_a_time(address):
    with Visitor(address) as visitor:
        for _ in range(MOST_FILES // MOST_AT_ONCE + 1):
            visitor.upload(*[(f"{number}.jpg", b"no picture") for number in range(MOST_AT_ONCE)])
            assert visitor.refusals and not visitor.exceptions
