"""tsnet_tf: search, train, evaluate and ship two-stream video-recognition models (Auto-TSNet)."""

__version__ = "0.1.0"
