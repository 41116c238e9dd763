"""Multi-view evaluation of a fixed model."""
