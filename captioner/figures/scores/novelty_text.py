"""The novelty curve in words."""

from captioner.scoring.novelty_curve import MEAN, USUAL, Curve, Estimate, Stretch


def verdict(curve: Curve) -> str:
    """The correlation of novelty and CIDEr, and the CIDEr of the most and the least familiar photographs."""
    ends = [f"{told(zone.cider[MEAN])} on {strangest(zone)}" for name, zone in curve.zones.items() if name != USUAL]
    return (
        f"On {curve.whole.photographs:,} dev photographs, the rank correlation of strangeness and CIDEr is "
        f"{told(curve.correlation[MEAN])}. Mean CIDEr: {', '.join([*ends, f'{curve.whole.cider[MEAN].value:.2f} on all'])}. "
        f"The stranger of two photographs has the worse captions {curve.novel_is_worse:.0%} of the time."
    )


def strangest(zone: Stretch) -> str:
    """The name of a zone at one end of the order."""
    return f"the {zone.photographs:,} {'least strange' if zone.start == 0 else 'strangest'}"


def told(found: Estimate) -> str:
    """
    >>> told(Estimate(-0.208, -0.268, -0.147))
    '−0.21 (−0.27 to −0.15)'
    """
    value, low, high = (f"{figure:.2f}".replace("-", "−") for figure in found)
    return f"{value} ({low} to {high})"


def summary(curve: Curve) -> str:
    """Alternative text for the chart."""
    facts = [f"{one.start:.0f} to {one.end:.0f}: {one.cider[MEAN].value:.2f}" for one in curve.bins]
    return "Mean CIDEr on dev, from the least strange photographs to the strangest; " + ", ".join(facts) + "."
