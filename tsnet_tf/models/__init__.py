"""From a space to a Keras model: the same builder makes supernets and fixed models."""
