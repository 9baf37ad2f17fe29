"""The `kbert` command; installed as `kbert.cli`."""
