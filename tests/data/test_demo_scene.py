import dataclasses

import numpy as np
import pytest
import scipy.stats

from tsnet_tf.data import demo_scene

SEEDS = 400
LEVEL_OF_CHANCE = 1e-4  # below which two samples are not of one distribution; a few hundred are compared here


def _scene(seed, difficulty=5):
    return demo_scene.draw_scene(np.random.default_rng(seed), demo_scene.noise(difficulty))


def _poses(order, seeds):
    return np.stack([demo_scene.poses(_scene(seed), order) for seed in seeds])


def _changes(pose):
    """Whether each object's three numbers change anywhere [objects, 3]."""
    return np.ptp(pose, axis=0) > 1e-9


def test_an_object_makes_each_motion_or_two_in_either_order():
    assert {("sway", "blink"), ("blink", "sway"), ("pulse", "pulse")} < set(demo_scene.ORDERS)
    assert len(demo_scene.ORDERS) == len(set(demo_scene.ORDERS)) == 9


@pytest.mark.parametrize("order", demo_scene.ORDERS, ids="_".join)
def test_the_first_motion_is_made_before_the_switch_and_the_second_after(order):
    scene = dataclasses.replace(_scene(1), switch=20.0)
    pose = demo_scene.poses(scene, order)
    for part, motion in ((pose[:20], order[0]), (pose[20:], order[1])):
        changing = [motion == other for other in demo_scene.MOTIONS]
        np.testing.assert_array_equal(_changes(part)[0], changing)
    # 20 frames are more than a period: 16 places on the sine come within cos(pi / 16) of both its ends.
    swing = 2 * scene.swing[0, demo_scene.MOTIONS.index(order[0])]
    assert swing * np.cos(np.pi / 16) <= np.ptp(pose[:20, 0], axis=0).max() + 1e-9 <= swing + 1e-8


def test_a_motion_has_come_back_after_the_distance_of_two_sparse_frames():
    scene = dataclasses.replace(_scene(2), switch=20.0)
    pose = demo_scene.poses(scene, ("sway", "blink"))
    np.testing.assert_allclose(pose[16:20], pose[:4], atol=1e-12)
    np.testing.assert_allclose(pose[36:], pose[20:24], atol=1e-12)


@pytest.mark.parametrize("order", demo_scene.ORDERS, ids="_".join)
def test_the_other_objects_make_motions_of_other_orders(order):
    for seed in range(30):
        own, *others = demo_scene.orders(_scene(seed), order)
        assert own == order and order not in others and len(others) == demo_scene.OBJECTS - 1


def test_every_other_order_is_as_frequent():
    others = [demo_scene.orders(_scene(seed), ("sway", "blink"))[1] for seed in range(1000)]
    counts = [others.count(order) for order in demo_scene.ORDERS if order != ("sway", "blink")]
    assert sum(counts) == 1000 and scipy.stats.chisquare(counts).pvalue > LEVEL_OF_CHANCE


@pytest.mark.parametrize("frame", [0, 13, 20, 39])
@pytest.mark.parametrize("order", demo_scene.ORDERS[1:], ids="_".join)
def test_poses_at_one_instant_are_distributed_alike_for_all_orders(order, frame):
    first = _poses(demo_scene.ORDERS[0], range(SEEDS))[:, frame].reshape(SEEDS, -1)
    second = _poses(order, range(SEEDS, 2 * SEEDS))[:, frame].reshape(SEEDS, -1)
    found = scipy.stats.ks_2samp(first, second)
    assert found.pvalue.min() > LEVEL_OF_CHANCE


def test_the_test_of_distributions_would_see_a_leak():
    """Objects at rest in the middle of their swing."""
    moving = _poses(("pulse", "blink"), range(SEEDS))[:, 5, 0, 1]
    resting = np.array([_scene(seed).rest[0, 1] for seed in range(SEEDS, 2 * SEEDS)])
    assert scipy.stats.ks_2samp(moving, resting).pvalue < LEVEL_OF_CHANCE


@pytest.mark.parametrize("order", demo_scene.ORDERS, ids="_".join)
def test_a_video_run_backwards_is_one_of_the_opposite_order(order):
    """The same frames, exactly: with the phases that are left at the end, run back, and the switch mirrored."""
    scene = _scene(3)
    forwards = demo_scene.poses(scene, order)
    speed = 2 * np.pi / demo_scene.PERIOD
    end = scene.phase.copy()
    for number, (first, second) in enumerate(demo_scene.orders(scene, order)):
        end[number, demo_scene.MOTIONS.index(first)] += speed * scene.switch
        end[number, demo_scene.MOTIONS.index(second)] += speed * (demo_scene.FRAMES - scene.switch)
    opposite = tuple(reversed(order))
    other = tuple(reversed(demo_scene.orders(scene, order)[1]))
    steps = (demo_scene.ORDERS.index(other) - demo_scene.ORDERS.index(opposite)) % len(demo_scene.ORDERS)
    # sin(pi - p) = sin(p): a phase that runs back is one that advances.
    mirrored = dataclasses.replace(
        scene, phase=np.pi - end, switch=demo_scene.FRAMES - scene.switch, other_orders=np.array([steps])
    )
    np.testing.assert_allclose(demo_scene.poses(mirrored, opposite)[::-1], forwards, atol=1e-9)
    assert 0 < steps < len(demo_scene.ORDERS)  # which is as likely as any other


def test_only_the_texture_tells_one_object_from_another():
    """Everything drawn for an object has one distribution, whichever it is; only how widely it swings need not."""
    scenes = [_scene(seed) for seed in range(SEEDS)]
    for name in ("middle", "rest", "phase", "tint", "angle", "grain"):
        drawn = np.stack([getattr(scene, name) for scene in scenes]).reshape(SEEDS, demo_scene.OBJECTS, -1)
        assert scipy.stats.ks_2samp(drawn[:200, 0], drawn[200:, 1]).pvalue.min() > LEVEL_OF_CHANCE, name
    nearest = [scene.depth[-1] for scene in scenes]
    assert scipy.stats.binomtest(nearest.count(0), SEEDS, 1 / demo_scene.OBJECTS).pvalue > LEVEL_OF_CHANCE


def _video(texture, order, noise, seed=4):
    random = np.random.default_rng(seed)
    return demo_scene.render(demo_scene.draw_scene(random, noise), texture, order, noise, random).astype(int)


QUIET = demo_scene.Noise((0.0, 0.0, 0.0), grain=0.0, pixel=0.0, company=0.0)


def test_a_texture_shows_on_one_object_and_nowhere_else():
    first, second = (_video(texture, ("sway", "blink"), QUIET)[0] for texture in ("stripes", "checks"))
    scene = demo_scene.draw_scene(np.random.default_rng(4), QUIET)
    y, x = np.nonzero(np.abs(first - second).max(-1) > 20)
    aside, log_size, _ = demo_scene.poses(scene, ("sway", "blink"))[0, 0]
    centre = scene.middle[0] + [aside + (demo_scene.WIDTH - 1) / 2, (demo_scene.HEIGHT - 1) / 2]
    distance = np.hypot(x - centre[0], y - centre[1])
    assert len(x) > 50 and distance.max() < 11.0 * np.exp(log_size) + 1.0


def test_order_is_not_in_the_first_frame():
    """But for half a frame's motion: the first frame is seen when half of it has passed."""
    scene = _scene(6)
    first = [demo_scene.poses(dataclasses.replace(scene, switch=20.0), order)[0] for order in demo_scene.ORDERS]
    assert np.ptp(first, axis=0).max() <= np.max(scene.swing) * 2 * np.pi / demo_scene.PERIOD


def test_noise_grows_with_the_level():
    levels = [demo_scene.noise(difficulty) for difficulty in demo_scene.DIFFICULTIES]
    for easier, harder in zip(levels, levels[1:], strict=False):
        for field in dataclasses.fields(demo_scene.Noise):
            assert np.all(np.less(getattr(easier, field.name), getattr(harder, field.name))), field.name


def test_a_level_s_frames_are_farther_from_those_without_noise():
    clean = _video("checks", ("pulse", "blink"), QUIET)
    distance = [
        np.abs(_video("checks", ("pulse", "blink"), demo_scene.noise(level)) - clean).mean()
        for level in demo_scene.DIFFICULTIES
    ]
    assert distance == sorted(distance) and distance[-1] > 2 * distance[0]
