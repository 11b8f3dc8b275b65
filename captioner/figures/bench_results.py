"""The benchmarks as rows of a table, from the files that `python -m captioner bench` printed."""

from collections.abc import Mapping
from pathlib import Path

from captioner.benchmarks.table import stage_rows
from captioner.storage import read_json

CAPTION = "bench-caption.json"
BULK, LARGE, WORKERS = (f"bench-{name}.json" for name in ("bulk", "large", "workers"))
# By file: what was measured, and its value; both are templates over what the file holds.
TEMPLATES = {
    CAPTION: {
        "photograph to three beam-3 captions, relative to one pass of the CNN in TensorFlow": "{caption[ratio_to_encoder]:.2f} "
        "times",
        "the same, relative to `model.predict` per word on a padded prefix": "{caption[ratio_to_recipe]:.0f} times faster",
        "peak memory after 200 photographs, relative to after 20": "{memory[growth_mb]:.1f} MB more",
    },
    "bench-training.json": {
        "an epoch, relative to one row per prefix with one-hot targets": "{training[ratio_to_recipe]:.1f} times faster",
        "matrix-product speed of an epoch, relative to the machine's": "{training[share_of_gemm]:.0%}",
    },
    BULK: {
        "{bulk[photographs]:,} files to three beam-3 captions, relative to the CNN alone in TensorFlow": ""
        "{bulk[share_of_encoder]:.0%} of its speed ({bulk[bulk_a_second]:.0f} photographs per second)",
        "peak memory at their end, relative to after the first eighth": "{bulk[bulk_growth_mb]:.1f} MB more",
    },
    LARGE: {
        "peak memory of training on a {large[cache_gb]:.0f} GB cache (sparse files)": "{large[training_peak_gb]:.2f} GB",
        "a step of it, relative to one on a small cache (disk speed excluded)": "{large[step_ratio]:.2f} times",
        "reading {coco[captions]:,.0f} captions in COCO's format": "{coco[read_s]:.1f} s, {coco[read_peak_gb]:.2f} GB",
    },
}


# The first row is the head.
EXPORT = {
    "encoder/encoder.json": {
        "{name} in {precision}, on {agreement[pictures]} photographs": "",
        "cosine between its features and the Keras network's: mean": "{agreement[cosine]:.5f}",
        "the same: lowest": "{agreement[least_cosine]:.5f}",
        "largest difference of a feature": "{agreement[largest_difference]:.2f} of {agreement[largest_feature]:.2f}",
        "photographs with the same top class": "{agreement[same_class]:.0%}",
    }
}


def rows(folder: Path, templates: Mapping[str, Mapping[str, str]] = TEMPLATES) -> list[tuple[str, str]]:
    """What was measured, and the result, of every file that is there."""
    files = [(read_json(folder / name), rows) for name, rows in templates.items() if (folder / name).is_file()]
    return [(what.format(**data), value.format(**data)) for data, rows in files for what, value in rows.items()]


def by_stage(folder: Path) -> list[tuple[str, ...]]:
    """The stages of captioning as shares of the encoder's time in TensorFlow; heads first."""
    return stage_rows(read_json(folder / CAPTION))


def by_processes(folder: Path) -> list[tuple[str, ...]]:
    """The cost of a training step by number of processes; heads first."""
    data = read_json(folder / WORKERS)["workers"]
    sums, optimizer = data["all_reduce_ms"], f"{data['move_ms']:.0f} ms"
    heads = "gradients of a step on 16 photographs", f"summing {data['parameters'] / 1e6:.1f} million numbers", "optimizer"
    steps = [(count, f"{ms:.0f} ms", f"{sums.get(count, 0):.0f} ms", optimizer) for count, ms in data["gradient_ms"].items()]
    return [(f"processes on {data['cores']} cores", *heads), *steps]
