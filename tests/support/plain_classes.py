"""The classes of features and their divergence from targets in NumPy, one picture after the other."""

import numpy as np


def probabilities(features, classifier):
    """The classes of mean features, (pictures, classes)."""
    kernel, bias = classifier
    scores = [np.exp(np.asarray(regions, float).mean(axis=0) @ kernel + bias) for regions in features]
    return np.array([one / one.sum() for one in scores])


def divergences(targets, found):
    """The Kullback-Leibler divergence of each picture's probabilities from its targets; a target of zero adds nothing."""
    return [
        sum(share * np.log(share / other) for share, other in zip(own, others, strict=True) if share)
        for own, others in zip(np.asarray(targets, float), found, strict=True)
    ]
