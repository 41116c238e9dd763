"""Keras layers of the searchable blocks.

Two conventions hold everywhere in this folder.

*Frames first.* Feature maps are ``[frames * batch, height, width, channels]`` with time as the slow axis: frame ``t``
of clip ``b`` stands at ``t * batch + b``. A shift in time is then a contiguous slice, and everything that does not
mix frames is an ordinary 2-D operation.

*Every variable is a size.* A layer owns weights of the largest size and is called with the sampled sizes; an
operation that is off has size zero (see `elastic`). Sizes are Python ints in a fixed model and scalar int32 tensors
in a supernet.

Weights are made in the constructors, where the largest sizes are known; so layers are `built` from the start.
"""
