"""Arrays in one block of bytes, which a browser reads as typed arrays."""

from typing import Any

import numpy as np

_KINDS = {"uint8": "Uint8Array", "uint16": "Uint16Array", "int16": "Int16Array"}
_KINDS |= {"uint32": "Uint32Array", "float32": "Float32Array"}
_ALIGNMENT = 4  # bytes; a typed array begins at a multiple of the size of its numbers


class Blob:
    """Bytes to which arrays are added; `data` are those so far, little-endian."""

    def __init__(self):
        self.data = bytearray()

    def add(self, array: np.ndarray) -> dict[str, Any]:
        """Adds `array` and returns where it is: `{"kind": <JavaScript's type>, "at": <byte>, "length": <numbers>}`.

        Raises KeyError for a type that is none of uint8, uint16, int16, uint32 and float32.
        """
        kind = _KINDS[array.dtype.name]
        self.data.extend(bytes(-len(self.data) % _ALIGNMENT))
        place = {"kind": kind, "at": len(self.data), "length": array.size}
        self.data.extend(array.astype(array.dtype.newbyteorder("<")).tobytes())
        return place
