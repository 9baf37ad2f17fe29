"""Pretraining: shards of records → batches with fresh masks → a trained model."""
