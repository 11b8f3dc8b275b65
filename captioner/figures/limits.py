"""What the decoders cannot do: fixed sentences for those that ship, and for any other run the same with its own data."""

from captioner.data.dataset_formats import SHAPES

LIMITS = (
    "The decoders were trained on about 6,000 photographs, mostly of people and dogs outdoors, and know the words that occur "
    "at least five times in their captions. For anything else (food, an empty room, a drawing) the caption is a guess.",
    "They describe people by appearance, as their training captions do, and repeat the mistakes and prejudices of those "
    "captions. Do not use them to decide anything about a person.",
    "They miscount, mix up the colours of things, and prefer common activities to rare ones.",
    "The CNN was trained to recognise 1,000 kinds of things and fine-tuned on the same 6,000 photographs. The decoders cannot "
    "tell apart what the CNN does not.",
)
_SHIPPED_DATA, _SHIPPED_THOUSANDS, _SHIPPED_LEAST = "flickr8k", 6, 5  # what the first of LIMITS is true of
_SEEN = (
    "The decoders were trained on {photographs} photographs of {data} and know the words with a count of at least {least} in "
    "their captions. For any other kind of photograph the caption is a guess."
)
_CNN = "The CNN was trained to recognise 1,000 kinds of things{tuned}. The decoders cannot tell apart what the CNN does not."
_SHAPES = "The decoders were trained on drawings of a few shapes; their captions of photographs are meaningless."


def limits_of(data: str | None, photographs: int | None, least: int, adapted: str | None) -> tuple[str, ...]:
    """The limits of decoders trained on `data`; None stands for a name or number that was not recorded.

    `least` is the minimum count of a word; `adapted` names the data that the CNN was fine-tuned on: empty where it was not
    recorded, None for the original CNN.
    """
    thousands = _SHIPPED_THOUSANDS if photographs is None else round(photographs / 1000)
    as_shipped = (data, least, thousands) == (_SHIPPED_DATA, _SHIPPED_LEAST, _SHIPPED_THOUSANDS)
    tuned = "" if adapted is None else " and fine-tuned on captioned photographs"
    cnn = LIMITS[3] if as_shipped and adapted == data else _CNN.format(tuned=tuned)
    if data == SHAPES:
        return _SHAPES, cnn
    return LIMITS[0] if as_shipped else _seen(data, photographs, least), *LIMITS[1:3], cnn


def _seen(data: str | None, photographs: int | None, least: int) -> str:
    count = "an unknown number of" if photographs is None else f"{photographs:,}"
    return _SEEN.format(photographs=count, data=f"the data set {data}" if data else "an unrecorded data set", least=least)
