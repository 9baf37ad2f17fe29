"""Lines a second from a file to vectors on disk: kbert beside sentence-transformers.

The first 4,000 sentences of CoNLL-2003 train, all-MiniLM-L6-v2, mean and normalised.
kbert reads the file, tokenizes, encodes and writes its store; sentence-transformers
encodes a list in memory, batch 32, and its array is saved with NumPy. Loading the model
is left out on both sides.
"""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import markdown, shared_folder, take_turns

SENTENCES = 4000


def measure(*, repetitions: int = 3) -> str:
    """The table, in Markdown."""
    shared = shared_folder()
    model = shared / "models" / "minilm-l6-v2"
    sentences = _sentences(shared / "data" / "conll2003" / "train.txt")
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "lines.txt")
        lines.write_text("\n".join(sentences) + "\n", "utf-8")
        contenders = {
            f"{tool}, {dtype}": make(model, dtype, lines, sentences)
            for dtype in ("bfloat16", "float32")
            for tool, make in (
                ("kbert", _kbert),
                ("sentence-transformers", _sentence_transformers),
            )
        }
        seconds = take_turns(contenders, repetitions=repetitions)
    ours = seconds["kbert, bfloat16"]
    rows = [
        [name, f"{len(sentences) / own:,.0f}", f"{own / ours:.2f}"]
        for name, own in seconds.items()
    ]
    return markdown(["extraction", "lines/s", "time, kbert bfloat16 = 1"], rows)


def _sentences(path: Path) -> list[str]:
    from kbert.readers import ReaderOptions, read_items

    items = read_items([str(path)], ReaderOptions(format="conll"))
    return [" ".join(item.words or ()) for item in itertools.islice(items, SENTENCES)]


def _kbert(
    model: Path, dtype: str, lines: Path, sentences: list[str]
) -> Callable[[], Any]:
    import kbert
    from kbert.features.engine import FeatureEngine
    from kbert.features.extraction import ExtractionJob, extract_features_to

    settings = kbert.FeatureSettings(normalize=True, compute_dtype=dtype)
    engine = FeatureEngine(kbert.load(model), settings)
    job = ExtractionJob(inputs=[str(lines)])
    output = lines.with_name(f"store-{dtype}")
    return lambda: extract_features_to(engine, job, output, overwrite=True)


def _sentence_transformers(
    model: Path, dtype: str, lines: Path, sentences: list[str]
) -> Callable[[], Any]:
    import torch
    from sentence_transformers import SentenceTransformer

    options = {"dtype": getattr(torch, dtype)}
    encoder = SentenceTransformer(str(model), device="cpu", model_kwargs=options)
    output = lines.with_name(f"{dtype}.npy")

    def run() -> None:
        vectors = encoder.encode(
            sentences, batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
        np.save(output, vectors)

    return run


if __name__ == "__main__":
    print(measure())
