"""How familiar the photograph is to the decoders, and, folded away, the CNN's own classes for it."""

import streamlit as st

from captioner.config import ADAPTED
from captioner.errors import CheckpointError
from captioner.figures.scores.novelty_text import strangest, told
from captioner.scoring.familiarity import Familiarity, Judgement
from captioner.scoring.novelty_curve import BETTER, MEAN, USUAL, WORSE, Curve, load_curve
from captioner.views import cards
from captioner.views.resources import refuse
from captioner.views.results import Results
from captioner.vision.encoder import likeliest

FLAT = "flat"
_EXPECTED = {
    BETTER: "Like much of what it learned from: expect better captions than usual.",
    USUAL: "Neither familiar nor strange: expect captions as good as usual.",
    WORSE: "Stranger than most: expect worse captions than usual.",
    FLAT: "How strange it is says hardly anything about its captions.",
}

_HELP = (
    "Training photographs differ from each other in certain directions (principal components of the CNN’s features). What a "
    "photograph has besides these no decoder has learned to read. The percentage compares that rest with the same of "
    "photographs that were held out of training, and the page of scores shows how the captions of those fared."
)


def show(results: Results) -> None:
    """The gauge and its sentence; without a usable curve the sentence makes no prediction."""
    found = results.familiarity()
    if found is None:
        return
    curve, problem = None, None
    try:
        curve = load_curve(results.folder)
    except CheckpointError as error:
        problem = error
    st.html(gauge(found[1], curve))
    st.markdown(describe(*found, curve), help=_HELP)
    if problem:
        refuse(problem)


def show_classes(results: Results) -> None:
    probabilities = results.classes()
    if probabilities is None:
        return
    with st.expander("What the network itself sees", type="compact"):
        st.markdown(
            f"The CNN learned to name 1,000 kinds of things before any of this, {_since(results)}. What it does not tell "
            "apart, no decoder can; and what it sees, a decoder without the word cannot say."
        )
        st.html(cards.choices(likeliest(probabilities), "currentColor"))


def _since(results: Results) -> str:
    if results.captioner.encoder.name == ADAPTED:
        return "and was trained on with captions since; its names are still those of then, so they fit a little less"
    return "and was not changed since"


def gauge(judgement: Judgement, curve: Curve | None) -> str:
    """The scale with its mark; it darkens at the zones of the curve."""
    share = round(judgement.percentile)
    zones = curve.zones if curve else {}
    steps = f"--usual:{zones[BETTER].end:g}%;" if BETTER in zones else ""
    steps += f"--worse:{zones[WORSE].start:g}%;" if WORSE in zones else ""
    return (
        f'<div class="meter" style="{steps}" role="meter" aria-label="How strange the photograph is, from 0 to 100" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share}"><span style="left:{share}%"></span></div>'
    )


def describe(summary: Familiarity, judgement: Judgement, curve: Curve | None) -> str:
    """The gauge in words, as markdown."""
    place = f"Of 100 photographs held out of training {round(judgement.percentile)} are less strange."
    if judgement.beyond:
        return f"**Stranger than every photograph held out of training: the captions are guesses.** {place}"
    if curve is None:
        return f"{place} {_nearest(summary, judgement)}"
    zone = FLAT if curve.flat else curve.zone(judgement.percentile)
    parts = [f"**{_EXPECTED[zone]}**", place, evidence(judgement, curve)]
    if zone != WORSE:  # A strange photograph has no near kind.
        parts.append(_nearest(summary, judgement))
    return " ".join(filter(None, parts))


def evidence(judgement: Judgement, curve: Curve) -> str:
    """The evidence for the prediction: the captions of held-out photographs, those at this end and all of them."""
    whole, zone = curve.whole, curve.zones[curve.zone(judgement.percentile)]
    if curve.flat:
        figures = told(curve.correlation[MEAN])
        return f"On {whole.photographs:,} of them the rank correlation of strangeness with CIDEr is {figures}."
    if curve.zone(judgement.percentile) == USUAL:
        return ""
    return (
        f"On {strangest(zone)} of them captions score {zone.cider[MEAN].value:.2f} in CIDEr, on all {whole.photographs:,} "
        f"{whole.cider[MEAN].value:.2f}. A weak sign: of two photographs the stranger one has the worse captions "
        f"{100 * curve.novel_is_worse:.0f} times of 100."
    )


def _nearest(summary: Familiarity, judgement: Judgement) -> str:
    kind = judgement.kind
    what = ", ".join(map(cards.escaped, kind.words[:3])) or "a mixed lot that fits nowhere else"
    size = f"{kind.photographs:,} photograph{'s' * (kind.photographs != 1)}"
    return f"Nearest kind among the {summary.photographs:,} it learned from: {what} ({size})."
