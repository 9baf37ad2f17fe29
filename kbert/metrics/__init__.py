"""What is right and what a model says → the official figures of each kind of task."""
