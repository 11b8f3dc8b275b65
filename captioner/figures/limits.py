"""What the decoders cannot do: of those that ship, said once for the README and for the page; of any others, for their card."""

from captioner.data.dataset_formats import SHAPES

LIMITS = (
    "The decoders have seen about 6,000 photographs, mostly of people and dogs outdoors, and know the words that occurred five "
    "times or more. A photograph unlike those (food, an empty room, a drawing) gets a caption that is a guess.",
    "They describe people as their training captions did, by appearance, and repeat those captions' mistakes and prejudices. "
    "Do not use them to decide anything about a person.",
    "They miscount, mix up colours between things, and prefer common activities to rare ones.",
    "The CNN was trained to name 1,000 kinds of things, then trained on with the same 6,000 photographs; what it does not tell "
    "apart no decoder can.",
)
_SHIPPED_DATA, _SHIPPED_THOUSANDS, _SHIPPED_LEAST = "flickr8k", 6, 5  # What the first of them is true of.


def limits_of(data: str | None, photographs: int | None, least: int, adapted: str | None) -> tuple[str, ...]:
    """Those of decoders trained on this data; data or a number of photographs that nobody put down is None.

    `least` is how often a word had to occur to be learned; `adapted` is the data that the CNN was trained on with, empty where
    that was not put down, None for a CNN as it comes.
    """
    whole = photographs is None or round(photographs / 1000) == _SHIPPED_THOUSANDS
    as_shipped = data == _SHIPPED_DATA and least == _SHIPPED_LEAST and whole
    cnn = _CNN_AS_IT_COMES if adapted is None else LIMITS[3] if as_shipped and adapted == data else _CNN_ADAPTED
    if data == SHAPES:
        return _ONLY_SHAPES, cnn
    return LIMITS[0] if as_shipped else _seen(data, photographs, least), *LIMITS[1:3], cnn


_CNN_AS_IT_COMES = "The CNN was trained to name 1,000 kinds of things; what it does not tell apart no decoder can."
_CNN_ADAPTED = (
    "The CNN was trained to name 1,000 kinds of things, then trained on with captioned photographs; what it does not tell apart "
    "no decoder can."
)
_ONLY_SHAPES = "The decoders have seen nothing but drawings of a few shapes; what they say of a photograph means nothing."


def _seen(data: str | None, photographs: int | None, least: int) -> str:
    count = "the" if photographs is None else f"{photographs:,}"
    whose = f"of the data set {data}" if data else "of a data set whose name was not put down"
    known = "every word of their captions" if least <= 1 else f"the words that occurred {least} times or more in their captions"
    return (
        f"The decoders have seen {count} training photographs {whose}, and know {known}. A photograph unlike those gets a "
        "caption that is a guess."
    )
