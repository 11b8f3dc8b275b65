"""The only way to read a picture: bytes in, checked RGB out, or an error in one sentence.

A network's scaling and input size are left to `captioner.vision.keras_networks`.
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
# Formats that take more memory to decode have lower limits, so that no picture takes more than about 300 MB.
MAXIMUM_PIXELS_OF = {"WebP": 10_000_000, "AVIF": 20_000_000, "progressive JPEG": 40_000_000, "CMYK JPEG": 30_000_000}
MAXIMUM_BYTES = 10 * 1024 * 1024
# Larger pictures are shrunk while they are read; nothing here uses more pixels.
_MOST_KEPT = 12_000_000
_STRIP = 64  # rows of the shrunk picture
_TURNED_BY = ("exif", "xmp", "XML:com.adobe.xmp")  # where a file stores its orientation
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif")

_NAMELESS = "the picture"
_FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP or AVIF"
# By Pillow's raw mode, scales the transparent colour of a PNG from the file's depth to the 8 bits of its pixels.
_TO_8_BITS = {"L;2": lambda level: level * 85, "L;4": lambda level: level * 17, "RGB;16B": lambda level: level >> 8}
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def read(data: bytes, name: str = _NAMELESS, size: int | None = None) -> np.ndarray:
    """The picture in these bytes, upright, in RGB, on white where it is transparent; uint8 (height, width, 3), read-only.

    With a `size` it is squashed as by `resize`.
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
        raise ImageError(f"{subject} needs more memory than is available; make it smaller.") from error
    except Exception as error:  # Pillow can raise almost anything for a damaged file.
        raise ImageError(f"{subject} is damaged or truncated; download or save it again.") from error
    if was_large:
        release_memory()
    return pixels


def read_file(path: str | Path, size: int | None = None) -> np.ndarray:
    """The picture in a file, read like `read`."""
    return read(read_bytes(path), str(path), size)


def read_bytes(path: str | Path) -> bytes:
    """A picture's bytes from disk, at most one more than `read` accepts."""
    try:
        with open(path, "rb") as file:
            return file.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file name"
        raise ImageError(f"{_subject(str(path))} cannot be opened ({reason}); check its name and permissions.") from error


def resize(rgb: np.ndarray, size: int) -> np.ndarray:
    """The whole picture squashed into a square, uint8 (size, size, 3)."""
    return rgb if rgb.shape == (size, size, 3) else _squashed(Image.fromarray(rgb), size)


def _squashed(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def _subject(name: str) -> str:
    """The picture's name in errors: its base name, never its path."""
    if name == _NAMELESS:
        return "The picture"
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "'" + "".join(character if character.isprintable() else "?" for character in base) + "'"


def _too_many_pixels(subject: str, size: tuple[int, int] | None = None, kind: str = "") -> str:
    amount = f"has {size[0]} x {size[1]} pixels," if size else "has"
    most, of = MAXIMUM_PIXELS_OF.get(kind, MAXIMUM_PIXELS) // 1_000_000, f" of a {kind}" if kind in MAXIMUM_PIXELS_OF else ""
    return f"{subject} {amount} more than the {most} million pixels{of} that are read; make it smaller."


def _kind(image: Image.Image, data: bytes) -> str:
    if image.format in ("JPEG", "MPO"):  # an MPO is a JPEG followed by others
        held_whole = image.info.get("progressive") or _comes_in_parts(data, len(image.getbands()))
        return ("CMYK JPEG" if image.mode == "CMYK" else "progressive JPEG") if held_whole else "JPEG"
    return "WebP" if image.format == "WEBP" else str(image.format)


def _comes_in_parts(data: bytes, components: int) -> bool:
    """Whether a JPEG stores its colours one after another, so that decoding holds all of it, as for a progressive one."""
    place = 2
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if marker == 0xDA:  # start of scan; its first byte is the number of components in it
            return data[place + 4] < components
        place += 1 if marker == 0xFF else 2 + length
    return False


def _decode(data: bytes, subject: str, size: int | None) -> tuple[np.ndarray, bool]:
    """The pixels, and whether the picture was shrunk."""
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        # Only the header has been read so far. Pillow's own, higher limit is a process-wide setting and stays.
        kind = _kind(image, data)
        if image.width * image.height > MAXIMUM_PIXELS_OF.get(kind, MAXIMUM_PIXELS):
            raise ImageError(_too_many_pixels(subject, image.size, kind))
        _scale_transparent_colour(image)
        factor = math.ceil(math.sqrt(image.width * image.height / _MOST_KEPT))
        # A JPEG can be decoded at a smaller size; the rest of the factor is applied afterwards.
        wanted = -(-image.width // factor)
        image.draft(None, (wanted, -(-image.height // factor)))
        image.load()
        rgb = _shrunk(image, -(-image.width // wanted)) if factor > 1 else image
        # In place, the pixels are turned even if a broken EXIF block cannot be written back.
        with suppress(Exception):
            ImageOps.exif_transpose(rgb, in_place=True)
        upright = _to_rgb(rgb)
        pixels = _squashed(upright, size) if size else np.asarray(upright)  # (height, width, 3)
        return pixels, factor > 1


def _shrunk(image: Image.Image, factor: int) -> Image.Image:
    """The picture in RGB with its sides divided by a factor, strip by strip so that it is never in memory twice."""
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = factor * _STRIP
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        small.paste(_to_rgb(strip).reduce(factor), (0, top // factor))
    small.info = {name: image.info[name] for name in _TURNED_BY if name in image.info}
    return small


def _scale_transparent_colour(image: Image.Image) -> None:
    """Scale a PNG's transparent colour like its pixels; Pillow scales only the pixels."""
    colour = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    scale = _TO_8_BITS.get(tile[0].args) if image.format == "PNG" and tile else None
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
    """16-bit grey, scaled: Pillow's own conversion would clip everything above 255."""
    grey = np.asarray(image)
    scaled = ((grey.clip(0, 65535).astype(np.uint32) + 128) // 257).astype(np.uint8)
    if "transparency" in image.info:
        scaled[grey == image.info["transparency"]] = 255
    return Image.fromarray(scaled).convert("RGB")
