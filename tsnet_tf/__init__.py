"""tsnet_tf: search, train, evaluate and ship two-stream video-recognition models (Auto-TSNet)."""

import os

__version__ = "0.1.0"

# TensorFlow's plain CPU allocator hands big buffers back to the system after every operation and gets them back page by
# page; its arena allocator keeps them. Element-wise operations on video features are up to eight times faster so. It
# must be chosen before TensorFlow starts.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
