import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import clips


def _seed(number):
    return tf.constant([0, number], tf.int64)


def _ramp(frames, height, width):
    """Frame t, row y, column x holds (t, y, x) as its colour."""
    grid = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    return tf.constant(np.stack(grid, axis=-1).astype(np.uint8))


def test_random_starts_are_uniform_over_all_places():
    # 70 frames, span 64: places 0 to 6. Of 2,100 draws 300 fall on each, with a standard deviation of 16.
    starts = [clips.random_start(tf.constant(70), 64, _seed(number)).numpy() for number in range(2100)]
    counts = np.bincount(starts, minlength=7)
    assert len(counts) == 7 and counts.min() > 236 and counts.max() < 364


def test_a_short_video_starts_at_its_beginning():
    assert {clips.random_start(tf.constant(40), 64, _seed(n)).numpy() for n in range(20)} == {0}
    assert clips.uniform_starts(tf.constant(40), 64, 3).numpy().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "video_frames, views, starts",
    [
        (80, 1, [8]),  # (80 - 64) / 2
        (80, 3, [0, 8, 16]),
        (80, 4, [0, 5, 11, 16]),  # thirds of 16: 5.33 and 10.67
        (67, 3, [0, 2, 3]),  # the half of 3 is rounded up
        (300, 10, [0, 26, 52, 79, 105, 131, 157, 184, 210, 236]),
    ],
)
def test_test_views_are_even_from_the_first_to_the_last_place(video_frames, views, starts):
    assert clips.uniform_starts(tf.constant(video_frames), 64, views).numpy().tolist() == starts


def test_past_the_end_the_last_frame_is_held():
    assert clips.frame_indices(tf.constant(1), 4, 2, tf.constant(80)).numpy().tolist() == [1, 3, 5, 7]
    assert clips.frame_indices(tf.constant(0), 4, 2, tf.constant(5)).numpy().tolist() == [0, 2, 4, 4]
    views = clips.frame_indices(tf.constant([0, 3]), 2, 4, tf.constant(6))
    assert views.numpy().tolist() == [[0, 4], [3, 5]]


@pytest.mark.parametrize("height, width, resized", [(20, 30, (10, 15)), (30, 20, (15, 10)), (9, 16, (10, 18))])
def test_the_short_side_is_resized_and_the_aspect_kept(height, width, resized):
    frames = tf.zeros([2, height, width, 3], tf.uint8)
    assert clips.resize_short_side(frames, 10).shape == (2, *resized, 3)


def test_resizing_is_bilinear_and_rounds():
    # 1 x 2 pixels 0 and 255 to 2 x 4: a quarter and three quarters of the way in between: 63.75 and 191.25.
    frames = tf.reshape(tf.constant([0, 255], tf.uint8), [1, 1, 2, 1]) * tf.ones([1, 1, 1, 3], tf.uint8)
    assert clips.resize_short_side(frames, 2).numpy()[0, :, :, 0].tolist() == [[0, 64, 191, 255]] * 2


def test_frames_of_the_right_size_pass_unchanged():
    frames = _ramp(2, 10, 12)
    np.testing.assert_array_equal(clips.resize_short_side(frames, 10), frames)


def test_the_square_of_a_clip_has_every_size_and_reaches_every_place():
    @tf.function
    def draw(number):
        return clips.random_square(tf.constant([40, 60]), 10, 20, 25, tf.stack([tf.constant(0, tf.int64), number]))

    squares = tf.map_fn(draw, tf.range(3000, dtype=tf.int64), fn_output_signature=tf.int32).numpy()
    # Frames of 40 x 60 pixels at a short side of 20 to 25: a crop of 10 is a square of 20, 19, 18, 17, 17 or 16.
    sides, counts = np.unique(squares[:, 2], return_counts=True)
    assert (squares[:, 2] == squares[:, 3]).all() and sides.tolist() == [16, 17, 18, 19, 20]
    # Of 3,000 draws a sixth is 500, with a standard deviation of 20; twice that for the side of 17.
    np.testing.assert_allclose(counts, [500, 1000, 500, 500, 500], atol=100)
    corners = squares[squares[:, 2] == 20][:, :2]
    assert corners.min(0).tolist() == [0, 0] and corners.max(0).tolist() == [20, 40]
    places = squares[:, :2] / ([40, 60] - squares[:, 2:])  # of the room that there is
    correlation = np.corrcoef(np.column_stack([places, squares[:, 2]]).T)
    assert abs(correlation - np.eye(3)).max() < 0.08  # standard deviation 0.018


def test_no_square_is_larger_than_the_frames():
    for size in ((7, 9), (9, 7), (8, 8)):
        for number in range(30):
            top, left, height, width = clips.random_square(tf.constant(size), 224, 224, 225, _seed(number)).numpy()
            assert (height, width) in [(min(size), min(size))]
            assert top + height <= size[0] and left + width <= size[1]


def _picture(height, width):
    """A smooth picture with an edge, of which neighbouring places differ."""
    y, x = np.mgrid[:height, :width]
    waves = [127 + 60 * np.sin(0.13 * y + k) + 60 * np.cos(0.17 * x - k) for k in range(3)]
    return np.where((x > y)[..., None], np.stack(waves, -1), 255 - np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize("square", [(0, 0, 30, 30), (3, 7, 22, 22), (34, 61, 30, 30), (17, 33, 1, 1)])
def test_a_decoded_square_is_what_the_whole_frame_shows_there(square):
    picture = _picture(64, 91)
    encoded = tf.stack([tf.io.encode_jpeg(one, quality=95) for one in (picture, 255 - picture)])
    top, left, side, _ = square
    whole = clips.decode_frames(encoded)[:, top : top + side, left : left + side]
    difference = np.abs(clips.decode_square(encoded, square, side).numpy().astype(int) - whole.numpy())
    assert not difference[:, :, : side - 1].any() or side == 1
    # In the last column the colour, which is stored at half the resolution, may lack its neighbour.
    assert difference.max() <= 20


def test_a_decoded_square_is_resized_bilinearly_and_rounds():
    # 2 columns 0 and 255 of a square to 4: a quarter and three quarters of the way in between, 63.75 and 191.25.
    picture = np.repeat([[0, 0, 255, 255]], 2, axis=0)[..., None].repeat(3, -1).astype(np.uint8)
    encoded = tf.io.encode_jpeg(picture, format="rgb", quality=100, chroma_downsampling=False)[None]
    square = clips.decode_square(encoded, (0, 1, 2, 2), 4).numpy()
    np.testing.assert_allclose(square[0, :, :, 0], [[0, 64, 191, 255]] * 4, atol=2)


@pytest.mark.parametrize("crop", [24, 200])  # all frames at once, and one after the other
def test_a_mirrored_square_has_left_and_right_exchanged(crop):
    picture = _picture(64, 91)
    encoded = tf.stack([tf.io.encode_jpeg(one) for one in (picture, 255 - picture, picture)])
    plain = clips.decode_square(encoded, (3, 7, 22, 22), crop).numpy()
    for mirrored in (False, True):
        found = clips.decode_square(encoded, (3, 7, 22, 22), crop, tf.constant(mirrored)).numpy()
        np.testing.assert_array_equal(found, plain[:, :, ::-1] if mirrored else plain)


@pytest.mark.parametrize("height, width, top_left", [(10, 14, (3, 5)), (11, 15, (3, 5)), (4, 4, (0, 0))])
def test_the_centre_crop_is_centred_to_the_pixel(height, width, top_left):
    crop = clips.test_crops(_ramp(2, height, width), 4, "center").numpy()
    assert crop.shape == (1, 2, 4, 4, 3)
    assert tuple(crop[0, 0, 0, 0, 1:]) == top_left  # 10 = 3 + 4 + 3; 11 = 3 + 4 + 4


@pytest.mark.parametrize(
    "height, width, corners",
    [
        (4, 9, [(0, 0), (0, 2), (0, 5)]),
        (9, 4, [(0, 0), (2, 0), (5, 0)]),
        (6, 10, [(1, 0), (1, 3), (1, 6)]),  # the shorter side is centred
        (6, 6, [(1, 0), (1, 1), (1, 2)]),
    ],
)
def test_three_crops_cover_the_longer_side(height, width, corners):
    crops = clips.test_crops(_ramp(2, height, width), 4, "left_center_right").numpy()
    assert crops.shape == (3, 2, 4, 4, 3)
    assert [tuple(crop[0, 0, 0, 1:]) for crop in crops] == corners


def test_jpeg_frames_are_decoded_in_order():
    encoded = [tf.io.encode_jpeg(np.full([8, 8, 3], level, np.uint8), quality=100) for level in (7, 90, 200)]
    decoded = clips.decode_frames(tf.stack(encoded)).numpy()
    assert decoded.shape == (3, 8, 8, 3) and decoded[:, 4, 4, 1].tolist() == [7, 90, 200]
