"""Where annotations come from: one module per source, each with one function that returns a list of `Annotation`."""
