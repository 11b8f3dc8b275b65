"""The licences of the encoders' weights, against what the installed package says of itself."""

import importlib.metadata

from captioner.reports import licences
from captioner.reports.readme import README
from captioner.vision.encoder import ADAPTED, ENCODERS, LITE2


def test_the_licence_is_the_one_that_the_package_brings_along():
    installed = importlib.metadata.distribution(licences.PACKAGE)
    text = next(file for file in installed.files if file.name == "LICENSE").read_text()
    told = licences.of_weights(LITE2)
    assert text.startswith("Apache Software License 2.0") and told.name == "Apache-2.0"
    assert f"Copyright (c) 2020, {licences.OWNER}" in text and f"copyright 2020 {licences.OWNER}" in told.source
    assert installed.version == licences.VERSION and f"{licences.PACKAGE} {licences.VERSION}" in told.source
    adapted = licences.of_weights(ADAPTED)
    assert adapted.name == told.name and adapted.source.startswith(told.source) and "are changed" in adapted.source
    assert all(licences.of_weights(name).name is None for name in ENCODERS if name not in (LITE2, ADAPTED))
    assert f"`{licences.PACKAGE}` ({told.name})" in README.read_text(encoding="utf-8")
