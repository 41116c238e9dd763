"""Which views of a video are tested: clips spread over its length, crops spread over its longer side (section 5.2)."""

import dataclasses

from tsnet_tf.data.crops import CROPS, LEFT_CENTER_RIGHT
from tsnet_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A test protocol.

    Attributes:
      clips: number of clips, uniformly spread over the video.
      crops: "center", or "left_center_right" along the longer side.
    """

    clips: int
    crops: str

    @property
    def name(self) -> str:
        """As in the paper, in lower case."""
        return f"{self.clips}-{self.crops}"

    @property
    def views(self) -> int:
        """Views of one video; its prediction is the mean over them."""
        return self.clips * CROPS[self.crops]

    def crop(self, crop: int, short_side: int) -> int:
        """Side of the square crops in pixels: the training crop for "center", the whole short side for three.

        The paper tests crops of 160 at a short side of 182, or three of 182 that cover the longer side. Its larger
        models follow the same 7 : 8: 224 of 256, 312 of 356.

        Args:
          crop: side of the training crop, pixels.
          short_side: short side of the resized frames, pixels.
        """
        return short_side if self.crops == LEFT_CENTER_RIGHT else crop


def named(name: str) -> Protocol:
    """Returns the protocol called ``name``, such as "10-center" or "10-left_center_right" (the paper's), "1-center".

    The paper's spelling, 10-Center and 10-LeftCenterRight, means the same.

    Raises:
      UserError: it is not a number of clips and a way to crop.
    """
    count, _, wanted = name.partition("-")
    crops = next((crops for crops in CROPS if _letters(crops) == _letters(wanted)), None)
    if not (count.isascii() and count.isdigit() and int(count) >= 1 and crops):
        known = " or ".join(f"CLIPS-{crops}" for crops in CROPS)
        raise UserError(f"views: expected {known}, such as 10-center; found '{name}'")
    return Protocol(int(count), crops)


def _letters(crops: str) -> str:
    return crops.replace("_", "").lower()
