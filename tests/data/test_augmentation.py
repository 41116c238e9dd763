import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.data import augmentation

augment = pytest.importorskip("official.vision.ops.augment")


def _seed(number):
    return tf.constant([5, number], tf.int64)


def _clip(frames=8, side=16):
    draw = np.random.default_rng(0)
    return tf.constant(draw.integers(0, 256, (frames, side, side, 3), np.uint8))


@pytest.fixture(scope="module")
def rand_augment():
    return tf.function(lambda clip, seed: augmentation.rand_augment(clip, 2, 9.0, seed))


def test_rand_augment_is_a_function_of_its_seed_and_does_something(rand_augment):
    results = [rand_augment(_clip(), _seed(number)).numpy() for number in range(12)]
    assert all(result.shape == (8, 16, 16, 3) and result.dtype == np.uint8 for result in results)
    np.testing.assert_array_equal(results[3], rand_augment(_clip(), _seed(3)))
    assert len({result.tobytes() for result in results}) > 8


def test_fewer_frames_are_augmented_as_they_are_among_more(rand_augment):
    sparse = tf.function(lambda clip, seed: augmentation.rand_augment(clip, 2, 9.0, seed))
    for number in range(40):  # two of seventeen each: all operations come up
        whole = rand_augment(_clip(), _seed(number)).numpy()
        np.testing.assert_array_equal(whole[::4], sparse(_clip()[::4], _seed(number)))


def test_operations_are_the_model_gardens():
    clip = _clip(frames=2)
    operations = augmentation._operations(0.5, tf.constant(-1.0), _seed(0))
    assert set(operations) <= set(augment.NAME_TO_FUNC) and len(operations) == 16
    frame = clip[1]
    for name, arguments in {
        "Equalize": (),
        "AutoContrast": (),
        "Invert": (),
        "Rotate": (-15.0, [128] * 3),
        "Solarize": (128,),
        "Color": (1.0,),
        "Sharpness": (1.0,),
        "ShearX": (-0.15, [128] * 3),
        "TranslateY": (-0.5 * 16 * 100 / 224, [128] * 3),
    }.items():
        expected = augment.NAME_TO_FUNC[name](frame, *arguments)
        np.testing.assert_array_equal(operations[name](clip)[1], expected, err_msg=name)


def test_it_can_be_used_after_the_settings_are_locked(programs):
    # As in a binary: the Model Garden registers settings of its own when it is imported.
    programs.run("""
import gin
from tsnet_tf.data import augmentation
import tensorflow as tf
gin.parse_config("")
gin.config._set_config_is_locked(True)
augmentation.rand_augment(tf.zeros([2, 8, 8, 3], tf.uint8), 1, 5.0, tf.constant([0, 0], tf.int64))
""")


def test_cutout_greys_the_same_square_in_all_frames():
    clip = tf.zeros([2, 16, 16, 3], tf.uint8)
    cut = augmentation._operations(1.0, tf.constant(1.0), _seed(1))["Cutout"](clip).numpy()
    assert set(np.unique(cut)) == {0, 128} and (cut[0] == cut[1]).all()
    assert 0 < (cut[0, :, :, 0] == 128).sum() <= 36  # 80 / 224 of 16 is 5.7 pixels a side


def _mixed(batch=6, **alphas):
    """Clip i is grey at level 10 i and of class i."""
    clips = tf.cast(10 * tf.range(batch)[:, None, None, None, None], tf.uint8) * tf.ones([1, 2, 20, 20, 3], tf.uint8)
    seeds = tf.stack([_seed(number) for number in range(batch)])
    clips, labels = augmentation.mix(clips, tf.range(batch), seeds, batch, **alphas)
    assert clips.shape == (batch, 2, 20, 20, 3) and clips.dtype == tf.uint8
    np.testing.assert_allclose(tf.reduce_sum(labels, axis=1), 1.0, atol=1e-6)
    return clips.numpy(), labels.numpy()


def test_mixup_blends_pictures_as_it_does_labels():
    clips, labels = _mixed(mixup_alpha=0.4, cutmix_alpha=0.0)
    for number in range(6):
        share, other = labels[number, number], labels[number, 5 - number]
        assert share + other == pytest.approx(1.0)
        np.testing.assert_allclose(clips[number], 10 * (share * number + other * (5 - number)), atol=0.51)
    assert len(set(labels.diagonal().round(4))) == 6  # each clip draws its own


def test_cutmix_counts_the_pixels_of_the_square():
    clips, labels = _mixed(mixup_alpha=0.0, cutmix_alpha=1.0)
    for number in range(6):
        own = clips[number] == 10 * number
        assert np.isin(clips[number], [10 * number, 10 * (5 - number)]).all() and (own[0] == own[1]).all()
        assert labels[number, number] == pytest.approx(own.mean(), abs=1e-6)


def test_both_take_turns():
    # Blended clips have a level in between, cut ones have two levels.
    clips, _ = _mixed(batch=40, mixup_alpha=1.0, cutmix_alpha=1.0)
    cut = sum(len(np.unique(clip)) > 1 for clip in clips)
    assert 8 < cut < 36


def test_shares_are_drawn_from_the_beta_distribution():
    # Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1)); for a = 0.2: 0.179. Of 4,000 draws the variance is within 0.006.
    for alpha in (0.2, 1.0, 4.0):
        seeds = tf.stack([_seed(number) for number in range(4000)])
        drawn = tf.vectorized_map(lambda seed, alpha=alpha: augmentation._beta(alpha, seed), seeds).numpy()
        assert drawn.mean() == pytest.approx(0.5, abs=0.03)
        assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.012)
