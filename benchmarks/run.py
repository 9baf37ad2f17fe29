"""Measure kbert beside its peers; print the tables and write them to RESULTS.md.

``python benchmarks/run.py [PART]...``: all parts by default, each a file beside this.
Needs the extras [oracle] and the data of ``KBERT_SHARED``. Each part runs in a process
of its own, so that one library's threads do not slow down another part.
"""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = (
    "tokenizer",
    "encoder",
    "extraction",
    "pretraining_data",
    "pretraining",
    "bucketing",
)
PACKAGES = (
    "kbert",
    "tensorflow",
    "keras",
    "keras-hub",
    "torch",
    "transformers",
    "sentence-transformers",
    "tokenizers",
)


def main() -> None:
    """Run the parts named on the command line."""
    chosen = sys.argv[1:] or list(PARTS)
    sections = [_machine(), *map(_part, chosen)]
    if chosen == list(PARTS):
        text = "\n\n".join(["# Benchmark results", *sections]) + "\n"
        (HERE / "RESULTS.md").write_text(text, "utf-8")


def _machine() -> str:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    flags = Path("/proc/cpuinfo").read_text().split() if os.name == "posix" else []
    kinds = [flag for flag in ("amx_bf16", "avx512_bf16", "avx2") if flag in flags]
    text = (
        f"{os.cpu_count()} cores ({', '.join(kinds)}), Python "
        f"{platform.python_version()}, {', '.join(versions)}. All sides took turns in "
        "one run and used all cores; times are medians. Ratios carry over to other "
        "machines better than speeds do."
    )
    print(text, flush=True)
    return text


def _part(name: str) -> str:
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(HERE / f"{name}.py")]
    table = subprocess.run(
        command, env=quiet, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    doc = next(
        line.strip('"')
        for line in (HERE / f"{name}.py").read_text("utf-8").splitlines()
        if line.strip()
    )
    section = f"## {name.replace('_', ' ').capitalize()}\n\n{doc}\n\n{table}"
    print(f"\n{section}", flush=True)
    return section


if __name__ == "__main__":
    main()
