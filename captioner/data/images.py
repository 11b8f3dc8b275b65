"""The only way a picture comes in: bytes in, checked RGB out, refused in one sentence when it is not a picture we can read.

What a network takes (its scaling, its input size) is left to `captioner.vision.encoder`.
"""

import math
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from captioner.errors import ImageError
from captioner.runtime import release_memory

MAXIMUM_PIXELS = 50_000_000
# What decoding needs more memory for is held to less, so that no picture takes more than about 300 MB.
MAXIMUM_PIXELS_OF = {"WebP": 10_000_000, "AVIF": 20_000_000, "progressive JPEG": 40_000_000, "CMYK JPEG": 30_000_000}
MAXIMUM_BYTES = 10 * 1024 * 1024
# Whoever looks at a picture here looks no closer than this: a larger one is made smaller while it is read.
_MOST_KEPT = 12_000_000
_STRIP = 64  # rows of the smaller picture
_TURNED_BY = ("exif", "xmp", "XML:com.adobe.xmp")  # Where a file says which side is up.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")

_NAMELESS = "the picture"
_FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP or AVIF"
# What brings the transparent colour of a PNG from the file's depth, named by Pillow's raw mode, to the 8 bits of its pixels.
_TO_8_BITS = {"L;2": lambda level: level * 85, "L;4": lambda level: level * 17, "RGB;16B": lambda level: level >> 8}
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def read(data: bytes, name: str = _NAMELESS, size: int | None = None) -> np.ndarray:
    """The picture in these bytes, upright, in RGB, on white where it is see-through; uint8 (height, width, 3), read-only.

    With a `size` it comes squashed already, as `resize` would do it.
    """
    subject = _subject(name)
    if not data:
        raise ImageError(f"{subject} is empty; choose a file that holds a picture.")
    if len(data) > MAXIMUM_BYTES:
        raise ImageError(f"{subject} is larger than {MAXIMUM_BYTES >> 20} MB; save it smaller or with more compression.")
    try:
        pixels, was_large = _decode(data, subject, size)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{subject} is not a {_FORMAT_NAMES} picture; save it as one of these.") from error
    except _BOMBS as error:
        raise ImageError(_too_many_pixels(subject)) from error
    except MemoryError as error:
        raise ImageError(f"{subject} needs more memory than there is; make it smaller.") from error
    except Exception as error:  # A damaged file can make Pillow raise nearly anything.
        raise ImageError(f"{subject} is damaged or cut short; get the file again or save it anew.") from error
    if was_large:
        release_memory()
    return pixels


def read_file(path: str | Path, size: int | None = None) -> np.ndarray:
    """The picture in a file, by the same way as `read`."""
    return read(read_bytes(path), str(path), size)


def read_bytes(path: str | Path) -> bytes:
    """A picture's bytes from disk; never more of them than just enough for `read` to see that they are too many."""
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not a file's name"
        raise ImageError(f"{_subject(str(path))} cannot be opened ({reason}); check its name and that it may be read.") from error


def resize(rgb: np.ndarray, size: int) -> np.ndarray:
    """The whole picture squashed into a square, as the networks take it; uint8 (size, size, 3)."""
    return rgb if rgb.shape == (size, size, 3) else _squashed(Image.fromarray(rgb), size)


def _squashed(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def _subject(name: str) -> str:
    """How a refusal names the picture: by its base name and never by where it lies."""
    if name == _NAMELESS:
        return "The picture"
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "'" + "".join(character if character.isprintable() else "?" for character in base) + "'"


def _too_many_pixels(subject: str, size: tuple[int, int] | None = None, kind: str = "") -> str:
    amount = f"has {size[0]} x {size[1]} pixels," if size else "has"
    most, of = MAXIMUM_PIXELS_OF.get(kind, MAXIMUM_PIXELS) // 1_000_000, f" of a {kind}" if kind in MAXIMUM_PIXELS_OF else ""
    return f"{subject} {amount} more than the {most} million pixels{of} that are read; make it smaller."


def _kind(image: Image.Image, data: bytes) -> str:
    if image.format in ("JPEG", "MPO"):  # The latter is a JPEG with others behind it.
        held_whole = image.info.get("progressive") or _comes_in_parts(data, len(image.getbands()))
        return ("CMYK JPEG" if image.mode == "CMYK" else "progressive JPEG") if held_whole else "JPEG"
    return {"WEBP": "WebP"}.get(image.format, image.format)


def _comes_in_parts(data: bytes, components: int) -> bool:
    """Whether the colours of a JPEG follow each other, so that, as in a progressive one, all of it is held until the last."""
    place = 2
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if marker == 0xDA:  # Here the picture starts; its first byte says how many of the components it holds.
            return data[place + 4] < components
        place += 1 if marker == 0xFF else 2 + length
    return False


def _decode(data: bytes, subject: str, size: int | None) -> tuple[np.ndarray, bool]:
    """The pixels, and whether there were so many that they were made fewer."""
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        # Only the header has been read so far; Pillow's own, higher limit is a process-wide setting and stays as it is.
        kind = _kind(image, data)
        if image.width * image.height > MAXIMUM_PIXELS_OF.get(kind, MAXIMUM_PIXELS):
            raise ImageError(_too_many_pixels(subject, image.size, kind))
        _scale_transparent_colour(image)
        factor = math.ceil(math.sqrt(image.width * image.height / _MOST_KEPT))
        # A JPEG can be decoded smaller than it is; what is left of the factor follows when its colours are known.
        wanted = -(-image.width // factor)
        image.draft(None, (wanted, -(-image.height // factor)))
        image.load()
        rgb = _shrunk(image, -(-image.width // wanted)) if factor > 1 else image
        # Turned in place, the pixels are upright even when the rest of a broken EXIF block cannot be written back.
        with suppress(Exception):
            ImageOps.exif_transpose(rgb, in_place=True)
        upright = _to_rgb(rgb)
        pixels = _squashed(upright, size) if size else np.asarray(upright)  # (height, width, 3)
        return pixels, factor > 1


def _shrunk(image: Image.Image, factor: int) -> Image.Image:
    """The picture in RGB, every side divided by a whole number; strip by strip, so that it is never in memory twice."""
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * _STRIP
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        small.paste(_to_rgb(strip).reduce(factor), (0, top // factor))
    small.info = {name: image.info[name] for name in _TURNED_BY if name in image.info}
    return small


def _scale_transparent_colour(image: Image.Image) -> None:
    """Scale a PNG's transparent colour as its pixels will be; Pillow scales the pixels only and would not find it in them."""
    colour = image.info.get("transparency")
    scale = _TO_8_BITS.get(image.tile[0].args) if image.format == "PNG" and image.tile else None
    if scale and isinstance(colour, int):
        image.info["transparency"] = scale(colour)
    elif scale and isinstance(colour, tuple):
        image.info["transparency"] = tuple(map(scale, colour))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, scaled: Pillow's own conversion would cut everything above 255 to white."""
    grey = np.asarray(image)
    scaled = ((grey.clip(0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    if "transparency" in image.info:
        scaled[grey == image.info["transparency"]] = 255
    return Image.fromarray(scaled).convert("RGB")
