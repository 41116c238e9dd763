"""Studies: many architectures under one recipe, and what the figures allow to be said."""
