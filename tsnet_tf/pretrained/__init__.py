"""Public checkpoints of other frameworks as run folders, read without those frameworks."""
