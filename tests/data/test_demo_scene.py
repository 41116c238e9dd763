import numpy as np
import pytest

from tsnet_tf.data import demo_scene

_KS_AT_ONE_PERMILLE = 1.95  # times sqrt((n + m) / (n m)): critical value of the two-sample Kolmogorov-Smirnov test


def _scene(seed):
    return demo_scene.draw_scene(np.random.default_rng(seed))


@pytest.mark.parametrize("motion", demo_scene.MOTIONS)
def test_the_period_is_the_distance_of_two_sparse_frames(motion):
    scene = _scene(1)
    pose = demo_scene.poses(scene, motion)
    moved = pose[16:] - pose[:-16]
    np.testing.assert_allclose(moved[:, :2], np.tile(16 * scene.drift, (64, 1)), atol=1e-12)
    np.testing.assert_array_equal(moved[:, 2:], 0.0)


@pytest.mark.parametrize("number, motion", enumerate(demo_scene.MOTIONS))
def test_only_the_motion_s_own_number_swings_and_it_swings_widely(number, motion):
    scene = _scene(2)
    pose = demo_scene.poses(scene, motion)
    pose[:, :2] -= (np.arange(80)[:, None] - 40) * scene.drift
    swing = np.ptp(pose, axis=0)
    others = [i for i in range(4) if i != number]
    np.testing.assert_allclose(swing[others], 0.0, atol=1e-12)
    # 16 places on the sine come within cos(pi / 16) of both its ends.
    assert 2 * scene.swing[number] * np.cos(np.pi / 16) <= swing[number] + 1e-9 <= 2 * scene.swing[number] + 1e-8


def test_a_single_frame_is_the_same_whatever_the_motion():
    frames = []
    for motion in demo_scene.MOTIONS:
        random = np.random.default_rng(3)
        frames.append(demo_scene.render(demo_scene.draw_scene(random), "square", motion, random))
    for other in frames[1:]:
        np.testing.assert_array_equal(other[0], frames[0][0])
        assert np.abs(other[4].astype(int) - frames[0][4]).max() > 60  # while a later one is not


@pytest.mark.parametrize("frame", [0, 5, 37])
@pytest.mark.parametrize("motion", demo_scene.MOTIONS[1:])
def test_poses_at_one_instant_are_distributed_alike_for_all_motions(motion, frame):
    """A Kolmogorov-Smirnov test per number of the pose, on 500 videos each; a static centre without swing fails it."""
    first = np.stack([demo_scene.poses(_scene(seed), demo_scene.MOTIONS[0])[frame] for seed in range(500)])
    second = np.stack([demo_scene.poses(_scene(seed), motion)[frame] for seed in range(500, 1000)])
    for number in range(4):
        assert _largest_gap(first[:, number], second[:, number]) < _KS_AT_ONE_PERMILLE * np.sqrt(2 / 500)


def test_the_distribution_test_would_see_a_leak():
    swinging = np.stack([demo_scene.poses(_scene(seed), "rotate")[5] for seed in range(500)])
    resting = np.stack([_scene(seed).rest for seed in range(500, 1000)])
    assert _largest_gap(swinging[:, 2], resting[:, 2]) > _KS_AT_ONE_PERMILLE * np.sqrt(2 / 500)


def test_the_shape_stays_in_the_picture():
    for seed in range(200):
        pose = demo_scene.poses(_scene(seed), demo_scene.MOTIONS[seed % 4])
        assert np.abs(pose[:, 0]).max() < 24 and np.abs(pose[:, 1]).max() < 20  # the centre, of 64 x 80


def _largest_gap(first, second):
    points = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(sample), points, side="right") / len(sample) for sample in (first, second)]
    return np.abs(below[0] - below[1]).max()
