"""Tricks for speed, each behind a plain operation, with its reference in `plain`.

`depthwise.depthwise_conv3d` convolves, `normalise.normalise` is batch normalisation by the batch's statistics,
`shared_trace.call` calls a layer. Whoever calls them need not know how they work. With TSNET_TF_PLAIN=1 in the
environment the references run instead, everywhere; ``README.md`` says what was learnt about TensorFlow's kernels.

What is private to TensorFlow or Keras is used in this folder only.
"""
