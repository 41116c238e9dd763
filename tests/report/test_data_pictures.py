"""A contact sheet has every frame of every clip, at a size that can be looked at."""

import numpy as np
import pytest

from tsnet_tf.report.data_pictures import contact_sheet


# Of 24 pixels, enlarged three times; of 160, every second one. A line of 1 and of 3 pixels stands between frames.
@pytest.mark.parametrize("side, shape", [(24, (3 * (2 * 25 - 1), 3 * (4 * 25 - 1))), (160, (2 * 83 - 3, 4 * 83 - 3))])
def test_rows_are_clips_and_columns_frames(side, shape):
    clips = np.arange(8, dtype=np.uint8).reshape(2, 4, 1, 1, 1) * np.ones((1, 1, side, side, 3), np.uint8)
    sheet = contact_sheet(clips)
    assert sheet.shape == (*shape, 3)
    height, width = (shape[0] + 1) / 2, (shape[1] + 1) / 4
    middles = [[sheet[int(height * (y + 0.4)), int(width * (x + 0.4)), 0] for x in range(4)] for y in range(2)]
    assert middles == [[0, 1, 2, 3], [4, 5, 6, 7]]
