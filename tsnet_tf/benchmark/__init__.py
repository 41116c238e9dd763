"""Speed and memory, measured: paired, interleaved, medians."""
