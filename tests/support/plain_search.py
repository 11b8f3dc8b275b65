"""Beam search as documented, with lists and sorting over the whole vocabulary: what the fast one must find."""

import math

from captioner.vocabulary import END, START


def plain_beam(gains, beam, longest, forbidden, length_preference=0.7):
    """The captions of one image, best first: words, score, and whether it ended. `gains(path)`: each word's log-probability."""
    live, finished = [((START,), 0.0)], []
    for _ in range(longest):
        everything = [
            ((*path, word), total + float(gain))
            for path, total in live
            for word, gain in enumerate(gains(path))
            if word not in forbidden and gain > -math.inf
        ]
        everything.sort(key=lambda candidate: -candidate[1])
        finished += [candidate for candidate in everything[:beam] if candidate[0][-1] == END]
        further = [candidate for candidate in everything if candidate[0][-1] != END][:beam]
        if len(finished) >= beam or not (further or finished):
            live = live if not (further or finished) else []
            break
        live = further
    found = [(path[1:-1], total / (len(path) - 1) ** length_preference, True) for path, total in finished]
    found += [(path[1:], total / len(path) ** length_preference, False) for path, total in live]
    return sorted(found, key=lambda one: (not one[2], -one[1]))[:beam]
