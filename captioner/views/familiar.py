"""How familiar the photograph is to the decoders, and, folded away, what the CNN itself would call it."""

import streamlit as st

from captioner.familiarity import Familiarity, Judgement
from captioner.imagenet import likeliest
from captioner.views import cards
from captioner.views.findings import Findings

_HELP = (
    "Training photographs differ from each other in certain directions (principal components of the CNN’s features). What a "
    "photograph has besides these no decoder has learned to read. The percentage compares that rest with the same of "
    "photographs that were held out of training."
)


def show(findings: Findings) -> None:
    """The gauge and its sentence."""
    found = findings.familiarity()
    if found is None:
        return
    st.html(gauge(found[1]))
    st.markdown(tell(*found), help=_HELP)


def show_classes(findings: Findings) -> None:
    probabilities = findings.classes()
    if probabilities is None:
        return
    with st.expander("What the network itself sees", type="compact"):
        st.markdown(
            "The CNN learned to name 1,000 kinds of things before any of this, and was not changed since. What it does not tell "
            "apart, no decoder can; and what it sees, a decoder without the word cannot say."
        )
        st.html(cards.choices(likeliest(probabilities), "currentColor"))


def gauge(judgement: Judgement) -> str:
    share = round(judgement.percentile)
    return (
        f'<div class="meter" role="meter" aria-label="How strange the photograph is, from 0 to 100" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{share}"><span style="left:{share}%"></span></div>'
    )


def tell(summary: Familiarity, judgement: Judgement) -> str:
    """The gauge in words, as markdown."""
    share = round(judgement.percentile)
    told = f"**{_verdict(judgement)}** Of 100 photographs held out of training {share} are less strange."
    return told if judgement.unlike else told + _nearest(summary, judgement)  # What is like none is not like any kind.


def _nearest(summary: Familiarity, judgement: Judgement) -> str:
    kind = judgement.kind
    what = ", ".join(map(cards.escaped, kind.words[:3])) or "a mixed lot that fits nowhere else"
    return f" Nearest kind among the {summary.photographs:,} it learned from: {what} ({kind.photographs:,} photograph{'s' * (kind.photographs != 1)})."


def _verdict(judgement: Judgement) -> str:
    """
    >>> kind = None
    >>> [_verdict(Judgement(share, kind)) for share in (20, 85, 97)]
    ['Familiar.', 'Unusual: read the captions with care.', 'Unlike what it learned from: the captions are guesses.']
    """
    if judgement.unlike:
        return "Unlike what it learned from: the captions are guesses."
    return "Unusual: read the captions with care." if judgement.unusual else "Familiar."
