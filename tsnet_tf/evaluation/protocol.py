"""Which views of a video are tested: clips spread over its length, crops spread over its longer side (section 5.2)."""

import dataclasses

from tsnet_tf.data import clips
from tsnet_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A test protocol.

    Attributes:
      name: as in the paper, in lower case.
      clips: number of clips, uniformly spread over the video.
      crops: "center", or "left_center_right" along the longer side.
    """

    name: str
    clips: int
    crops: str

    @property
    def views(self) -> int:
        """Views of one video; its prediction is the mean over them."""
        return self.clips * clips.CROPS[self.crops]

    def crop(self, crop: int, short_side: int) -> int:
        """Side of the square crops in pixels: the training crop for "center", the whole short side for three.

        The paper tests crops of 160 at a short side of 182, or three of 182 that cover the longer side. Its larger
        models follow the same 7 : 8: 224 of 256, 312 of 356.

        Args:
          crop: side of the training crop, pixels.
          short_side: short side of the resized frames, pixels.
        """
        return short_side if self.crops == clips.LEFT_CENTER_RIGHT else crop


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("1-center", 1, clips.CENTER),
        Protocol("10-center", 10, clips.CENTER),
        Protocol("10-left_center_right", 10, clips.LEFT_CENTER_RIGHT),
    )
}


def named(name: str) -> Protocol:
    """Returns the protocol called ``name``.

    Raises:
      UserError: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise UserError(f"views: expected one of {', '.join(PROTOCOLS)}; found '{name}'")
    return PROTOCOLS[name]
