"""Run by test_pretraining_resuming.py: kills `kbert pretrain`, resumes it, compares.

Arguments: a folder to work in, the number of kills, and the command's own arguments
without output. Prints what ``kills.report`` finds.
"""

import sys
from pathlib import Path

import pretraining_runs as runs
from kills import report

from kbert.cli.quiet import import_tensorflow

if __name__ == "__main__":
    import_tensorflow()
    import kbert.pretraining  # noqa: F401  everything that a run imports

    folder, kills, *arguments = sys.argv[1:]
    print(report(["pretrain", *arguments], Path(folder), int(kills), runs.digests))
