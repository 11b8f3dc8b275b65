"""The CNNs of `keras.applications` as rows of data, built in code with weights from a file or from Keras.

Their use as encoders is left to `captioner.vision.keras_networks`.
"""

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.errors import EncoderError

SUFFIX = ".h5"
START_WITH = "start with --encoder-weights and the file of the weights that they were trained with"


@dataclass(frozen=True)
class Application:
    """One network: the class, the module with its preprocessing, and its usual input size."""

    model: str
    module: str
    size: int


_ROWS = (
    ("vgg16", 224, "VGG16"),
    ("vgg19", 224, "VGG19"),
    ("resnet", 224, "ResNet50 ResNet101 ResNet152"),
    ("resnet_v2", 224, "ResNet50V2 ResNet101V2 ResNet152V2"),
    ("inception_v3", 299, "InceptionV3"),
    ("inception_resnet_v2", 299, "InceptionResNetV2"),
    ("xception", 299, "Xception"),
    ("densenet", 224, "DenseNet121 DenseNet169 DenseNet201"),
    ("mobilenet", 224, "MobileNet"),
    ("mobilenet_v2", 224, "MobileNetV2"),
    ("mobilenet_v3", 224, "MobileNetV3Small MobileNetV3Large"),
    ("nasnet", 224, "NASNetMobile"),
    ("nasnet", 331, "NASNetLarge"),
    ("efficientnet", 224, "EfficientNetB0"),
    ("efficientnet", 240, "EfficientNetB1"),
    ("efficientnet", 260, "EfficientNetB2"),
    ("efficientnet", 300, "EfficientNetB3"),
    ("efficientnet", 380, "EfficientNetB4"),
    ("efficientnet", 456, "EfficientNetB5"),
    ("efficientnet", 528, "EfficientNetB6"),
    ("efficientnet", 600, "EfficientNetB7"),
    ("efficientnet_v2", 224, "EfficientNetV2B0"),
    ("efficientnet_v2", 240, "EfficientNetV2B1"),
    ("efficientnet_v2", 260, "EfficientNetV2B2"),
    ("efficientnet_v2", 300, "EfficientNetV2B3"),
    ("efficientnet_v2", 384, "EfficientNetV2S"),
    ("efficientnet_v2", 480, "EfficientNetV2M EfficientNetV2L"),
    ("convnext", 224, "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge"),
)
APPLICATIONS: dict[str, Application] = {
    model.lower(): Application(model, module, size) for module, size, models in _ROWS for model in models.split()
}


def build(name: str, weights: str | Path | None) -> Any:
    """The network from uint8 pictures to its last grid; `weights` is a file, or None for Keras's own."""
    import keras

    row = APPLICATIONS[name]
    preprocess = importlib.import_module(f"keras.applications.{row.module}").preprocess_input
    picture = keras.Input((row.size, row.size, 3))
    network = _from_file(name, row, Path(weights)) if weights else _from_keras(name, row)
    model = keras.Model(picture, network(preprocess(picture)), name=name)
    model.trainable = False
    return model


def _bare(row: Application, weights: str | None) -> Any:
    import keras

    return getattr(keras.applications, row.model)(include_top=False, weights=weights, input_shape=(row.size, row.size, 3))


def _from_keras(name: str, row: Application) -> Any:
    try:
        return _bare(row, "imagenet")  # Keras downloads them once.
    except Exception as error:  # Keras raises a different class for each kind of failure.
        raise EncoderError(
            f"The weights of {name} could not be downloaded ({_reason(error)}); go online once so that Keras can fetch them, "
            "or give their file with --encoder-weights."
        ) from error


def _from_file(name: str, row: Application, path: Path) -> Any:
    """Load weights from an HDF5 file; Keras assigns them by the name or order of the layers and checks their shapes."""
    import h5py

    if not path.is_file():
        raise EncoderError(f"There is no file {path} with the weights of {name}; check the path.")
    if path.suffix != SUFFIX or not h5py.is_hdf5(path):
        raise EncoderError(f"The weights of {name} come in a .weights.h5 or .h5 file, and {path.name} is none.")
    network = _bare(row, None)
    try:
        with warnings.catch_warnings():  # one for each missing layer; the sentence below says it once
            warnings.simplefilter("ignore")
            network.load_weights(path)
    except Exception as error:  # Again many classes: another network, a truncated file, a missing group.
        raise EncoderError(
            f"The file {path.name} does not hold the weights of {name} without its classifier ({_reason(error)}); use the one "
            "that Keras calls notop, or the encoder that it belongs to."
        ) from error
    if not all(np.isfinite(values).all() for values in network.get_weights()):
        raise EncoderError(f"Not all weights in {path.name} are finite numbers; download the file again.")
    return network


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300].rstrip(".")
