"""The search space as plain data: no TensorFlow, no gin, standard library only."""
