"""A data set on disk in the layout of Flickr8k, of generated pictures: what tests and measurements share."""

from pathlib import Path

from captioner.data.datasets import shapes


def write_flickr8k(root: Path, *counts: int) -> Path:
    """So many photographs of train, dev and test."""
    photographs, text = root / "Flicker8k_Dataset", root / "Flickr8k_text"
    photographs.mkdir(parents=True)
    text.mkdir()
    tokens = []
    for split, records in shapes(*counts).splits.items():
        (text / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{record.name}\n" for record in records))
        for record in records:
            (photographs / record.name).write_bytes(record.read())
            tokens += [f"{record.name}#{number}\t{caption} .\n" for number, caption in enumerate(record.captions)]
    (text / "Flickr8k.token.txt").write_text("".join(tokens))
    return root
