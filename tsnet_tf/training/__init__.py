"""Driving a model's ``train_step``: strategies, optimizers, the loop, and what a run leaves behind."""
