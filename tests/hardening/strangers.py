"""Files such as strangers send: every format whole, cut and with a wrong byte, bombs, and what is no picture at all.

They are made here, byte by byte or with Pillow, from seeds; none is kept. `strangers()` is all of them.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

CUTS = (0.01, 0.1, 0.5, 0.9, 0.999)
FLIPS = 200
GIF_FRAMES = 10_000
_CUT_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


@dataclass(frozen=True)
class Stranger:
    """A file as it arrives; `good` says whether captions are to be expected, None where either answer will do."""

    name: str
    data: bytes
    good: bool | None


def strangers(flips: int = FLIPS, frames: int = GIF_FRAMES) -> Iterator[Stranger]:
    yield from whole()
    yield from cut()
    yield from flipped(flips)
    yield from extreme(frames)
    yield from no_pictures()
    yield from odd_names()


def whole() -> Iterator[Stranger]:
    """Every format and mode that is read, as it should be."""
    for name, picture, kind, options in _pictures():
        yield Stranger(f"good-{name}", encoded(picture, kind, **options), True)


def cut() -> Iterator[Stranger]:
    """Files that end too early; one that lacks its very end may still be a picture."""
    for kind in _CUT_FORMATS:
        data = encoded(photograph(), kind)
        for share in CUTS:
            yield Stranger(f"cut-{share:g}.{kind.lower()}", data[: int(len(data) * share)], False if share < 0.5 else None)


def flipped(places: int) -> Iterator[Stranger]:
    """Files with one byte turned over, at places spread over the whole of them."""
    for kind in _CUT_FORMATS:
        data = encoded(photograph(), kind)
        for place in np.linspace(0, len(data) - 1, places).astype(int):
            yield Stranger(f"flip-{place}.{kind.lower()}", data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :], None)


def extreme(frames: int) -> Iterator[Stranger]:
    """Pictures at and beyond what can be held: too many pixels, too long, too many frames, next to nothing."""
    yield Stranger("bomb-169-megapixels.png", png(13_000, 13_000, 1), False)
    yield Stranger("bomb-4000-megapixels.png", png(65_000, 65_000, 1, claimed_only=True), False)
    yield Stranger("bomb.gif", _with_size_of_gif(encoded(photograph(), "GIF"), 65_535, 65_535), False)
    yield Stranger("strip-65535-wide.jpg", encoded(Image.new("L", (65_500, 1), 90), "JPEG"), True)
    yield Stranger("strip-65535-wide.png", png(65_535, 1, 8), True)
    yield Stranger("strip-65535-high.png", png(1, 65_535, 8), True)
    yield Stranger("strip-65535-by-700.png", png(65_535, 700, 8), True)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"):
        yield Stranger(f"one-pixel.{kind.lower()}", encoded(Image.new("RGB", (1, 1), (9, 120, 200)), kind), True)
    large = photograph(7_000, 7_000)
    yield Stranger("large-49-megapixels.jpg", encoded(large, "JPEG", quality=70), True)
    yield Stranger("large-49-megapixels-progressive.jpg", encoded(large, "JPEG", quality=70, progressive=True), False)
    behind = {"save_all": True, "append_images": [photograph()], "quality": 70, "progressive": True}
    yield Stranger("large-49-megapixels-progressive-with-another.jpg", encoded(large, "MPO", **behind), False)
    inks = encoded(large.convert("CMYK"), "JPEG", quality=60, progressive=True)
    yield Stranger("large-49-megapixels-progressive-cmyk.jpg", inks, False)
    yield Stranger("large-49-megapixels.png", png(7_000, 7_000, 8), True)
    yield Stranger("large-10-megapixels.webp", encoded(photograph(3_300, 3_000), "WEBP", quality=30, method=0), True)
    yield Stranger("large-49-megapixels.avif", encoded(large, "AVIF", quality=30, speed=10), False)
    yield Stranger("large-20-megapixels.avif", encoded(photograph(4_460, 4_460), "AVIF", quality=30, speed=10), True)
    yield Stranger("gif-of-frames.gif", gif_of(frames), True)
    yield Stranger("exif-claims-more.jpg", _with_exif(b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\xff\xff\xff\xff\0\x06"), None)
    yield Stranger("exif-of-noise.jpg", _with_exif(b"Exif\0\0" + noise(6_000)), None)


def no_pictures() -> Iterator[Stranger]:
    """Other things under a picture's name."""
    page = b"<html><script>alert(1)</script></html>"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("cat.jpg", encoded(photograph(), "JPEG"))
    for name, data in (
        ("svg.jpg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("pdf.jpg", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF"),
        ("html.jpg", page),
        ("zip.jpg", archive.getvalue()),
        ("executable.jpg", b"\x7fELF\x02\x01\x01" + noise(4_000)),
        ("empty.jpg", b""),
        ("noise.jpg", noise(10 * 1024 * 1024)),
        ("too-large.jpg", noise(11 * 1024 * 1024)),
        ("jpeg-head-and-noise.jpg", encoded(photograph(), "JPEG")[:400] + noise(40_000)),
    ):
        yield Stranger(name, data, None if name.startswith("jpeg") else False)


def odd_names() -> Iterator[Stranger]:
    """A good picture under names that lead elsewhere, or that nobody can read."""
    data = encoded(photograph(), "JPEG")
    for name in (
        "../../../etc/passwd.jpg",
        "..\\..\\windows\\system32.jpg",
        "nul\0byte.jpg",
        "\N{CAT FACE}\N{ZERO WIDTH JOINER}\N{FIRE}.jpg",
        "x" * 300 + ".jpg",
        "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe\N{RIGHT-TO-LEFT MARK}.jpg",
        "<script>alert(1)</script>.jpg",
        "![](http://example.org/a.png).jpg",
        " .jpg",
    ):
        yield Stranger(name, data, True)


def photograph(width: int = 320, height: int = 240) -> Image.Image:
    """Smooth colours with some texture, such as survive compression."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    red, green = across * 255 / width, down * 255 / height
    blue = 128 + 60 * np.sin(across / 9) * np.cos(down / 7)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, claimed_only: bool = False) -> bytes:
    """A grey PNG of nothing but zeros, packed as well as that goes; or only its head."""
    row = b"\0" * (1 + -(-width * depth // 8))
    packer = zlib.compressobj(9)
    rows = 1 if claimed_only else height
    body = b"".join(packer.compress(row * min(500, rows - first)) for first in range(0, rows, 500)) + packer.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def gif_of(frames: int) -> bytes:
    """An animation of so many frames, each of two by two pixels."""
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\1\0\0\0" + b"," + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x44\x02\x05\0"
    return head + frame * frames + b";"


def noise(length: int) -> bytes:
    return np.random.default_rng(length).bytes(length)


def _pictures() -> Iterator[tuple[str, Image.Image, str, dict]]:
    rgb = photograph()
    clear = rgb.convert("RGBA")
    clear.putalpha(rgb.convert("L"))
    deep = Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)
    animated = {"save_all": True, "append_images": [photograph(), rgb]}
    makers: tuple[tuple[str, tuple[tuple[str, Image.Image, dict], ...]], ...] = (
        ("JPEG", (("rgb", rgb, {}), ("grey", rgb.convert("L"), {}), ("cmyk", rgb.convert("CMYK"), {}),
                  ("progressive", rgb, {"progressive": True}))),
        ("PNG", tuple((mode, rgb.convert(mode), {}) for mode in ("1", "L", "LA", "P", "RGB"))
                + (("rgba", clear, {}), ("16-bit", deep, {}), ("animated", rgb, animated))),
        ("WEBP", (("lossy", rgb, {}), ("lossless", rgb, {"lossless": True}), ("rgba", clear, {}), ("animated", rgb, animated))),
        ("GIF", (("grey", rgb.convert("L"), {}), ("colours", rgb.quantize(64), {}), ("animated", rgb, animated))),
        ("BMP", tuple((mode, rgb.convert(mode), {}) for mode in ("1", "L", "P", "RGB"))),
        ("AVIF", (("rgb", rgb, {}), ("rgba", clear, {}))),
    )  # fmt: skip
    for kind, pictures in makers:
        for name, picture, options in pictures:
            yield f"{name}.{kind.lower()}", picture, kind, options


def _with_size_of_gif(data: bytes, width: int, height: int) -> bytes:
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def _with_exif(block: bytes) -> bytes:
    data = encoded(photograph(), "JPEG")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]



