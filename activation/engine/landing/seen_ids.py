"""Which ids may have come before, in memory that does not grow with their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 64 * 1024 * 1024  # bytes; of ten million ids one in a thousand is then looked up for nothing, of a hundred million one in ten


class SeenIds:
    """A Bloom filter of 64-bit hashes. An id that came is never taken for new; one that is new is now and then taken for one that came."""

    def __init__(self) -> None:
        self._bits = np.zeros(SIZE, np.uint8)

    def sift(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Take hashes in, and say of each whether it may have come before, be it earlier in this array."""
        came = np.ones(len(hashes), np.bool_)
        _, first = np.unique(hashes, return_index=True)
        came[first] = self.add(hashes[first])
        return came

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Take hashes in, and say of each whether it may have been here."""
        here = np.ones(len(hashes), np.bool_)
        for half in (hashes, hashes >> np.uint64(32)):
            place = (half & np.uint64(0xFFFFFFFF)) % np.uint64(SIZE * 8)
            byte, bit = place >> np.uint64(3), np.left_shift(1, place & np.uint64(7), dtype=np.uint8, casting="unsafe")
            here &= (self._bits[byte] & bit) != 0
            np.bitwise_or.at(self._bits, byte, bit)
        return here
