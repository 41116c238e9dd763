"""Which views of a video are tested: clips spread over its length, crops spread over its longer side (section 5.2)."""

import dataclasses

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
        return self.clips * (3 if self.crops == "left_center_right" else 1)

    def sizes(self, resolution: int) -> tuple[int, int]:
        """Short side that frames are resized to, and side of the square crop, in pixels.

        The short side is 8/7 of the training crop, rounded down: 160 -> 182, 224 -> 256, 312 -> 356, which are the
        paper's (and X3D's) three test resolutions. The centre crop has the training size; the three crops are as
        large as the short side, so that they cover the longer one.

        Args:
          resolution: side of the training crop in pixels.
        """
        short_side = resolution * 8 // 7
        return short_side, short_side if self.crops == "left_center_right" else resolution


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (Protocol("10-center", 10, "center"), Protocol("10-left_center_right", 10, "left_center_right"))
}


def named(name: str) -> Protocol:
    """Returns the protocol called ``name``.

    Raises:
      UserError: there is none of that name.
    """
    if name not in PROTOCOLS:
        raise UserError(f"views: expected one of {', '.join(PROTOCOLS)}; found '{name}'")
    return PROTOCOLS[name]
