"""What the decoders that ship cannot do: said once, for the README and for the page."""

LIMITS = (
    "The decoders have seen about 6,000 photographs, mostly of people and dogs outdoors, and know the words that occurred five "
    "times or more. A photograph unlike those (food, an empty room, a drawing) gets a caption that is a guess.",
    "They describe people as their training captions did, by appearance, and repeat those captions' mistakes and prejudices. "
    "Do not use them to decide anything about a person.",
    "They miscount, mix up colours between things, and prefer common activities to rare ones.",
    "The CNN was trained to name 1,000 kinds of things, then trained on with the same 6,000 photographs; what it does not tell "
    "apart no decoder can.",
)
