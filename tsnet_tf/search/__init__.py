"""Probabilistic architecture search (PARSEC) over a two-stream space."""
