"""Files such as strangers send, at the door of the library; `tests/hardening/files.py` sends more of them through every door."""

import numpy as np
import pytest
from hardening.strangers import cut, extreme, flipped, no_pictures, odd_names, whole

from captioner.data import images
from captioner.errors import ImageError

KINDS = {"whole": whole, "cut": cut, "flipped": lambda: flipped(10), "extreme": lambda: extreme(300),
         "no pictures": no_pictures, "odd names": odd_names}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Pillow warns of what we refuse.
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_is_a_picture_or_a_sentence(kind):
    for stranger in KINDS[kind]():
        try:
            picture = images.read(stranger.data, stranger.name)
        except ImageError as error:
            said = str(error)
            assert stranger.good is not True, said
            assert said.startswith("'") and said.endswith(".") and "/" not in said.partition("' ")[0], said
        else:
            assert stranger.good is not False, stranger.name
            assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
            assert picture.size <= 3 * 12_000_000
