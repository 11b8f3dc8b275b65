"""How familiar the photograph is to the decoders, and, folded away, what the CNN itself would call it."""

import html

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
    st.html(gauge(*found))


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


def gauge(summary: Familiarity, judgement: Judgement) -> str:
    share = round(judgement.percentile)
    return (
        f'<div class="gauge"><div class="meter" role="meter" aria-label="Strangeness" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share}"><span style="left:{share}%"></span></div>'
        f'<p title="{html.escape(_HELP)}"><b>{_verdict(judgement)}</b> Of 100 photographs held out of training {share} are less '
        f"strange.{html.escape(_nearest(summary, judgement))}</p></div>"
    )


def _nearest(summary: Familiarity, judgement: Judgement) -> str:
    """The kind of photograph that it is most like; of one that is like none it would mislead."""
    if judgement.unlike:
        return ""
    kind = judgement.kind
    return (
        f" The nearest kind among the {summary.photographs:,} it learned from: {', '.join(kind.words[:3])} "
        f"({kind.photographs:,} photographs)."
    )


def _verdict(judgement: Judgement) -> str:
    """
    >>> kind = None
    >>> [_verdict(Judgement(share, kind)) for share in (20, 85, 97)]
    ['Familiar.', 'Unusual: read the captions with care.', 'Unlike what it learned from: the captions are guesses.']
    """
    if judgement.unlike:
        return "Unlike what it learned from: the captions are guesses."
    return "Unusual: read the captions with care." if judgement.unusual else "Familiar."
