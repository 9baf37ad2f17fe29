"""Run by test_finetuning_resuming.py: kills `kbert finetune`, resumes it, compares.

Arguments: a folder to work in, the number of kills, and the command's own arguments
without output. Prints what ``kills.report`` finds.
"""

import sys
from pathlib import Path

import finetuning_runs as runs
from kills import report

from kbert.cli.quiet import import_tensorflow

if __name__ == "__main__":
    import_tensorflow()
    import kbert.finetuning  # noqa: F401  everything that a run imports
    from kbert.tasks import task_class

    task_class("classify")
    folder, kills, *arguments = sys.argv[1:]
    arguments = ["finetune", "classify", *arguments]
    print(report(arguments, Path(folder), int(kills), runs.digests))
