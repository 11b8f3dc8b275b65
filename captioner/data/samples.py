"""Sample photographs for visitors without one; they come with the package scikit-image."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from captioner.data.images import read_bytes
from captioner.errors import ImageError


@dataclass(frozen=True)
class Sample:
    """One photograph: the name on its button, its file in the package, and a description."""

    title: str
    file: str
    description: str

    def read(self) -> bytes:
        # Finds the package without importing it, which would take longer than reading the file.
        package = importlib.util.find_spec("skimage")
        if package is None or package.origin is None:
            raise ImageError(
                "The sample photographs come with the package scikit-image, which is not installed; "
                "install it with pip install -r requirements.txt."
            )
        return read_bytes(Path(package.origin).parent / "data" / self.file)


SAMPLES: tuple[Sample, ...] = (
    Sample("Camera", "camera.png", "A man in a dark coat looks through a camera on a tripod, on a lawn."),
    Sample("Motorbike", "motorcycle_left.png", "A red motorcycle stands in a garage full of boxes."),
    Sample("Cat", "chelsea.png", "The face of a ginger tabby cat, from close by."),
    Sample("Astronaut", "astronaut.png", "A smiling woman in an orange space suit before a flag and a model of a rocket."),
    Sample("Rocket", "rocket.jpg", "A white rocket stands between pylons at nightfall."),
    Sample("Coffee", "coffee.png", "A red cup of espresso with a spoon on its saucer, on a wooden table."),
)
