"""Pictures made with Pillow or byte by byte, against arrays worked out by hand."""

import io
import random
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captioner.data import images
from captioner.errors import ImageError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def photograph(width=160, height=120):
    """Smooth colours, which survive compression."""
    down, across = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([across * 255 // width, down * 255 // height, 128 + 0 * down], axis=-1).astype(np.uint8))


def png(width, height, depth, colour_type, rows, transparent=b""):
    """A PNG file by its specification."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] if transparent else []
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        file += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return file


@pytest.mark.parametrize("kind, error", [("JPEG", 4), ("PNG", 0), ("WEBP", 6), ("GIF", 40), ("BMP", 0), ("AVIF", 6)])
def test_every_format_comes_out_as_rgb(kind, error):
    rgb = images.read(encoded(photograph(), kind))
    assert rgb.shape == (120, 160, 3) and rgb.dtype == np.uint8
    assert abs(rgb.astype(int) - np.asarray(photograph())).mean() <= error


@pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA", "JPEG2000", "PDF"])
def test_other_formats_are_refused(kind):
    with pytest.raises(ImageError, match="'cat.jpg' is not a JPEG, PNG, WebP, GIF, BMP or AVIF picture; save it"):
        images.read(encoded(photograph(), kind), "cat.jpg")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_frame_of_an_animation_is_read(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    rgb = images.read(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(rgb.astype(int) - RED).max() < 12


# The stored picture for each orientation, by the EXIF standard.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_orientation_is_applied(orientation, kind):
    upright = np.asarray(photograph(5, 3))
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright)))
    np.testing.assert_array_equal(images.read(encoded(stored, kind, exif=turned(orientation), lossless=True)), upright)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\0" * 9])
def test_broken_exif_is_ignored(exif):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert images.read(encoded(photograph(), "JPEG", exif=exif)).shape == (120, 160, 3)


def test_the_turn_is_kept_where_exif_cannot_be_written_back(monkeypatch):
    data = encoded(photograph(), "JPEG", exif=turned(6))
    monkeypatch.setattr(Image.Exif, "tobytes", lambda *_: struct.pack("H", -1))
    assert images.read(data).shape == (160, 120, 3)


def test_alpha_is_put_on_white():
    half = Image.new("RGBA", (1, 1), (255, 0, 0, 51))  # A fifth of red on white.
    assert images.read(encoded(half))[0, 0].tolist() == [255, 204, 204]
    assert images.read(encoded(Image.new("LA", (1, 1), (0, 51))))[0, 0].tolist() == [204] * 3
    assert images.read(encoded(half, "WEBP", lossless=True))[0, 0].tolist() == [255, 204, 204]


def test_alpha_of_palettes_is_put_on_white():
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([*RED, *BLUE])
    picture.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        assert images.read(encoded(picture, kind, transparency=0))[0].tolist() == [list(WHITE), list(BLUE)]
    assert images.read(encoded(picture, transparency=bytes([51, 255])))[0].tolist() == [[255, 204, 204], list(BLUE)]
    layered = images._to_rgb(Image.new("PA", (1, 1), (0, 0)))
    assert layered.getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(
    "depth, colour_type, row, transparent, expected",
    [
        (8, 0, bytes([7, 100]), struct.pack(">H", 7), [WHITE, (100,) * 3]),
        (4, 0, bytes([0x15]), struct.pack(">H", 1), [WHITE, (85,) * 3]),
        (2, 0, bytes([0b01100000]), struct.pack(">H", 1), [WHITE, (170,) * 3]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6]), struct.pack(">3H", 1, 2, 3), [WHITE, (4, 5, 6)]),
        (16, 2, struct.pack(">6H", 256, 512, 768, 65535, 0, 0), struct.pack(">3H", 256, 512, 768), [WHITE, RED]),
        (16, 0, struct.pack(">2H", 7, 257), struct.pack(">H", 7), [WHITE, (1,) * 3]),
    ],
)
def test_the_transparent_colour_of_a_png_is_white(depth, colour_type, row, transparent, expected):
    rgb = images.read(png(2, 1, depth, colour_type, [row], transparent))
    assert [tuple(pixel) for pixel in rgb[0].tolist()] == expected


def test_grey_of_16_bits_is_scaled_and_not_clipped():
    levels = [0, 257, 32896, 65535]
    rgb = images.read(png(4, 1, 16, 0, [struct.pack(">4H", *levels)]))
    assert rgb[0, :, 0].tolist() == [0, 1, 128, 255]
    for mode in ("I;16", "I;16B", "I"):
        picture = Image.new(mode, (1, 1), 32896)
        assert images._to_rgb(picture).getpixel((0, 0)) == (128,) * 3


def test_print_colours_grey_and_one_bit():
    assert np.abs(images.read(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))[4, 4].astype(int) - RED).max() < 12
    assert images.read(encoded(Image.new("L", (2, 2), 90)))[0, 0].tolist() == [90] * 3
    assert images.read(encoded(Image.new("1", (2, 2), 1), "BMP"))[0, 0].tolist() == [255] * 3
    assert np.abs(np.subtract(images._to_rgb(Image.new("YCbCr", (1, 1), (76, 85, 255))).getpixel((0, 0)), RED)).max() < 3
    assert images._to_rgb(Image.new("LAB", (1, 1), (255, 128, 128))).getpixel((0, 0))[0] > 240


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(kind, share):
    data = encoded(photograph(), kind)
    with pytest.raises(ImageError, match="'cut.jpg' is .*; (download|save)"):
        images.read(data[: int(len(data) * share)], "/home/someone/cut.jpg")


def check_picture_or_sentence(data):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rgb = images.read(data, "/secret/folder/x.png")
    except ImageError as error:
        assert str(error).startswith("'x.png' ") and str(error).endswith(".") and "secret" not in str(error)
    else:
        assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.size


def test_any_damage_is_a_picture_or_a_sentence():
    chance = random.Random(1)
    files = [encoded(photograph(40, 30), kind) for kind in images.FORMATS]
    for turn in range(600):
        data = bytearray(files[turn % len(files)])
        for _ in range(5):
            data[chance.randrange(min(len(data), 80))] = chance.randrange(256)
        check_picture_or_sentence(bytes(data))


HEADS = [encoded(Image.new("RGB", (9, 7), RED), kind)[:cut] for kind in images.FORMATS for cut in (12, 40, 200)]
MODES = {"PNG": ("1", "L", "LA", "P", "RGB", "RGBA"), "JPEG": ("L", "RGB", "CMYK"), "WEBP": ("RGB", "RGBA"), "GIF": ("L", "RGB")}


@given(st.sampled_from(HEADS), st.binary(max_size=2000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_picture_or_a_sentence(head, rest):
    check_picture_or_sentence(head + rest)


@given(st.sampled_from([(kind, mode) for kind, modes in MODES.items() for mode in modes]), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=100, deadline=None)
def test_a_picture_of_any_size_keeps_it(made, width, height):
    kind, mode = made
    assert images.read(encoded(photograph(width, height).convert(mode), kind)).shape == (height, width, 3)


@pytest.mark.parametrize("action", ["ignore", "error"])
@pytest.mark.parametrize("side", [7_072, 10_000, 30_000])
def test_too_many_pixels_are_refused_by_the_header_alone(monkeypatch, side, action):
    """Whatever the warning filters are: at the second size Pillow warns, at the third it raises."""
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("It was decoded."))
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(ImageError, match="'b.png' has .*more than the 50 million pixels .*; make it smaller"):
            images.read(png(side, side, 8, 0, []), "b.png")


def test_exactly_the_limit_is_allowed(monkeypatch):
    monkeypatch.setattr(images, "MAXIMUM_PIXELS", 12)
    assert images.read(encoded(Image.new("L", (4, 3)))).shape == (3, 4, 3)
    with pytest.raises(ImageError):
        images.read(encoded(Image.new("L", (13, 1))))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF", "JPEG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_picture_is_shrunk_while_it_is_read(monkeypatch, kind, orientation):
    """By a whole factor, and upright; against Pillow's own reduction of the whole picture."""
    given = {"exif": turned(orientation)} if kind in ("JPEG", "PNG", "WEBP") else {}
    data = encoded(photograph(336, 252), kind, **given)
    whole = Image.fromarray(images.read(data))
    monkeypatch.setattr(images, "_MOST_KEPT", 10_000)
    smaller = images.read(data)
    factor = 4 if kind == "JPEG" else 3  # A JPEG is decoded at half or a quarter of its size, and then halved and so on.
    expected = np.asarray(whole.reduce(factor))
    assert smaller.shape == expected.shape
    assert np.abs(smaller.astype(int) - expected).mean() < (4 if kind == "JPEG" else 0.5)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16", "1"])
def test_a_large_picture_of_any_mode_is_shrunk(monkeypatch, mode):
    grey = photograph(336, 252).convert("L")
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    data = encoded(picture, "JPEG" if mode == "CMYK" else "PNG")
    whole = Image.fromarray(images.read(data))
    monkeypatch.setattr(images, "_MOST_KEPT", 10_000)
    smaller = images.read(data)
    factor = whole.width // smaller.shape[1]
    assert np.abs(smaller.astype(int) - np.asarray(whole.reduce(factor))).mean() < 3


@pytest.mark.parametrize("kind, options", [("WebP", {}), ("AVIF", {}), ("progressive JPEG", {"progressive": True})])
def test_formats_that_need_more_memory_have_a_lower_limit(monkeypatch, kind, options):
    data = encoded(photograph(), kind.split()[-1].upper(), **options)
    monkeypatch.setitem(images.MAXIMUM_PIXELS_OF, kind, 160 * 120)
    assert images.read(data).shape == (120, 160, 3)
    monkeypatch.setitem(images.MAXIMUM_PIXELS_OF, kind, 160 * 120 - 1)
    with pytest.raises(ImageError, match=f"has 160 x 120 pixels, more than the 0 million pixels of a {kind} that are read"):
        images.read(data)


def test_jpegs_that_are_decoded_whole_are_recognised(monkeypatch):
    """Several in one file, CMYK, and colours stored one after another."""
    several = encoded(photograph(), "MPO", save_all=True, append_images=[photograph()], progressive=True)
    cmyk = encoded(photograph().convert("CMYK"), "JPEG", progressive=True)
    for kind, data in (("progressive JPEG", several), ("CMYK JPEG", cmyk)):
        monkeypatch.setitem(images.MAXIMUM_PIXELS_OF, kind, 160 * 120 - 1)
        with pytest.raises(ImageError, match=f"pixels of a {kind} that are read"):
            images.read(data)
    start = b"\xff\xd8\xff\xe0\x00\x04??"
    assert images._comes_in_parts(start + b"\xff\xda\x00\x08\x01", 3)
    assert not images._comes_in_parts(start + b"\xff\xff\xda\x00\x0c\x03", 3)
    assert not images._comes_in_parts(encoded(photograph(), "JPEG"), 3) and not images._comes_in_parts(start, 3)


def test_empty_and_too_large_files_are_refused(tmp_path):
    with pytest.raises(ImageError, match="^The picture is empty; choose"):
        images.read(b"")
    with (tmp_path / "a.bmp").open("wb") as file:
        file.truncate(images.MAXIMUM_BYTES * 100)
    assert len(images.read_bytes(tmp_path / "a.bmp")) == images.MAXIMUM_BYTES + 1
    with pytest.raises(ImageError, match="'a.bmp' is larger than 10 MB; save it"):
        images.read_file(tmp_path / "a.bmp")


@pytest.mark.parametrize("name", ["/srv/app/cat\n.png", r"C:\users\me\cat?.png"])
def test_an_error_shows_the_base_name_only(name):
    with pytest.raises(ImageError, match=r"^'cat\?.png' is"):
        images.read(b"text", name)


def test_files(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(photograph(4, 3)))
    np.testing.assert_array_equal(images.read_file(path), np.asarray(photograph(4, 3)))
    np.testing.assert_array_equal(images.read_file(str(path)), images.read(images.read_bytes(path)))
    for wrong in (tmp_path / "b.png", tmp_path, tmp_path / "b\0.png"):
        with pytest.raises(ImageError, match="cannot be opened .*; check") as refusal:
            images.read_file(wrong)
        assert str(tmp_path.parent) not in str(refusal.value)


def test_resize_squashes_the_whole_picture():
    halves = np.zeros((10, 200, 3), dtype=np.uint8)
    halves[:, 100:] = 255
    square = images.resize(halves[::-1, ::-1], 20)  # A view that is not contiguous.
    assert square.shape == (20, 20, 3) and square.dtype == np.uint8
    assert (square[:, :9] == 255).all() and (square[:, 11:] == 0).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_reading_at_a_size_is_reading_and_resizing(mode):
    colours = np.random.default_rng(4).integers(0, 256, (90, 120, 3), np.uint8)
    data = encoded(Image.fromarray(colours).convert(mode))
    expected = images.resize(images.read(data), 26)
    np.testing.assert_array_equal(images.read(data, size=26), expected)
    assert images.resize(expected, 26) is expected


def test_threads_read_the_same():
    data = [encoded(photograph(200, 150), kind) for kind in images.FORMATS]
    expected = [images.read(one).tobytes() for one in data]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [images.read(one).tobytes() for one in data], range(4)))
    assert found == [expected] * 4
