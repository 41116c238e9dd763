"""Names of the ways in which test clips are cropped; TensorFlow is not needed to know them."""

CENTER = "center"
LEFT_CENTER_RIGHT = "left_center_right"
CROPS = {CENTER: 1, LEFT_CENTER_RIGHT: 3}  # number of crops per view
