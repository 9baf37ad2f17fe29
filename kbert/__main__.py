"""``python -m kbert`` is ``kbert``."""

from kbert.cli.main import main

main()
