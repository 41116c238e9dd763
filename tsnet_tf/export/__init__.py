"""A trained model as a SavedModel that needs nothing of this package, and predictions with it."""
