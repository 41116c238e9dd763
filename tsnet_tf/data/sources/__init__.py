"""Where annotations come from: one module per source, each with one function that returns a list of `Annotation`."""

FORMATS = (
    "csv",
    "path_label",
    "kinetics",
    "something_something",
    "ucf101",
    "hmdb51",
    "activitynet",
    "diving48",
    "jester",
    "tfrecords",
)
