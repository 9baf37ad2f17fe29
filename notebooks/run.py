"""Run every notebook of this folder, to see that it still does; outputs are not kept.

The model is that of ``KBERT_MODEL``, else the real one of ``KBERT_SHARED`` (default
``../shared``), else a tiny one with random weights made for the occasion. A notebook
that reads data sets is left out, and named, where that folder is not.
"""

import os
import tempfile
from pathlib import Path

import nbclient
import nbformat

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("KBERT_SHARED", HERE.parents[1] / "shared")).resolve()
NEED_DATA = ("2_fine_tuning.ipynb",)


def main() -> None:
    """Run them in order of their names; the first error ends it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("KBERT_MODEL", str(_model(Path(folder))))
        os.environ["KBERT_SHARED"] = str(SHARED)
        for path in sorted(HERE.glob("*.ipynb")):
            if path.name in NEED_DATA and not (SHARED / "data").is_dir():
                print(f"{path.name}: left out, there is no {SHARED}")
                continue
            print(f"{path.name} …", flush=True)
            notebook = nbformat.read(path, as_version=4)
            resources = {"metadata": {"path": str(HERE)}}
            nbclient.NotebookClient(
                notebook, timeout=900, resources=resources
            ).execute()


def _model(folder: Path) -> Path:
    real = SHARED / "models" / "minilm-l6-v2"
    if real.is_dir():
        return real
    from kbert import Bert, BertConfig, Tokenizer, build_encoder, save

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1) if code != ord("#")]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer([*special, *pieces])
    config = BertConfig.from_size("tiny", vocabulary_size=len(special) + len(pieces))
    bert = Bert(config, build_encoder(config), tokenizer)
    save(bert, folder / "model")
    return folder / "model"


if __name__ == "__main__":
    main()
