"""Anime faces in a picture: the compiled detector of the animeface wheel, called on arrays.

The wheel's own module reads Pillow's images through a C structure that Pillow 12 changed, and finds nothing since. The
library beside it has plain functions over float matrices, which are called here; no Pillow is involved.
"""

import ctypes
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.types import Frames
from anisora.harness.weights import weight_file

__all__ = ["WEIGHTS", "FaceLibrary"]

WEIGHTS: Final = "animeface"

_MOST_FACES: Final = 256
_STEP: Final = 4.0  # these four numbers are those of the wheel's own module
_SCALE_FACTOR: Final = 1.095
_SMALLEST_WINDOW: Final = 42.592
_EDGE_LEVEL: Final = 4.0


class _Rectangle(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int), ("width", ctypes.c_int), ("height", ctypes.c_int))


class _Face(ctypes.Structure):
    """``nv_face_position_t``."""

    _fields_ = (
        ("likelihood", ctypes.c_float),
        ("face", _Rectangle),
        ("left_eye", _Rectangle),
        ("right_eye", _Rectangle),
        ("nose", _Rectangle),
        ("mouth", _Rectangle),
        ("chin", _Rectangle),
    )


class _Matrix(ctypes.Structure):
    """``nv_matrix_t``: rows * cols vectors of n floats, one behind the other."""

    _fields_ = (
        ("list", ctypes.c_int),
        ("list_step", ctypes.c_uint),
        ("n", ctypes.c_int),
        ("m", ctypes.c_int),
        ("rows", ctypes.c_int),
        ("cols", ctypes.c_int),
        ("step", ctypes.c_int),
        ("alias", ctypes.c_int),
        ("v", ctypes.c_void_p),
    )


class FaceLibrary:
    """The detector; its library is loaded with the first picture. One caller at a time."""

    def __init__(self) -> None:
        self._library: Any = None

    def __call__(self, picture: Frames) -> NDArray[np.float32]:
        """Find faces.

        Args:
            picture: (H, W, 3) uint8 RGB. Faces of 43 pixels between eyes and chin are the smallest found.

        Returns:
            (faces, 5) float32: left, top, width, height in pixels and likelihood 0..1, the likeliest first. The box
            is a square from above the eyes to the mouth.
        """
        if self._library is None:
            self._library = _load()
        height, width, _ = picture.shape
        colours = np.ascontiguousarray(picture[..., ::-1], np.float32)
        grey, smooth, edges = (np.zeros((height, width, 1), np.float32) for _ in range(3))
        grey_sums, edge_sums = (np.zeros((height + 1, width + 1, 1), np.float32) for _ in range(2))
        library = self._library
        library.nv_gray(_matrix(grey), _matrix(colours))
        library.nv_gaussian5x5(_matrix(smooth), 0, _matrix(grey), 0)
        library.nv_laplacian1(_matrix(edges), _matrix(smooth), _EDGE_LEVEL)
        library.nv_integral(_matrix(grey_sums), _matrix(grey), 0)
        library.nv_integral(_matrix(edge_sums), _matrix(edges), 0)
        return self._detect(grey_sums, edge_sums, width, height)

    def _detect(
        self, grey_sums: NDArray[np.float32], edge_sums: NDArray[np.float32], width: int, height: int
    ) -> NDArray[np.float32]:
        faces = (_Face * _MOST_FACES)()
        size = _Rectangle(0, 0, width, height)
        bagging = (ctypes.c_void_p * 3)(self._network("face_01"), self._network("face_02"), None)
        count = self._library.nv_face_detect(
            faces,
            _MOST_FACES,
            _matrix(grey_sums),
            _matrix(edge_sums),
            ctypes.byref(size),
            self._network("dir"),
            self._network("face_00"),
            bagging,
            2,
            self._network("parts"),
            _STEP,
            _SCALE_FACTOR,
            _SMALLEST_WINDOW,
        )
        rows = [
            (each.face.x, each.face.y, each.face.width, each.face.height, each.likelihood) for each in faces[:count]
        ]
        rows.sort(key=lambda row: (-row[4], row[:4]))
        return np.array(rows, np.float32).reshape(-1, 5)

    def _network(self, name: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(self._library, f"nv_face_mlp_{name}"))


def _matrix(array: NDArray[np.float32]) -> _Matrix:
    rows, columns, depth = array.shape
    cells = rows * columns
    return _Matrix(1, cells * depth, depth, cells, rows, columns, depth, 0, array.ctypes.data)


def _load() -> Any:  # noqa: ANN401 - a library of functions
    library = ctypes.CDLL(str(weight_file(WEIGHTS)))
    matrix, number, real, pointer = ctypes.POINTER(_Matrix), ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    for name, arguments in (
        ("nv_gray", [matrix, matrix]),
        ("nv_gaussian5x5", [matrix, number, matrix, number]),
        ("nv_laplacian1", [matrix, matrix, real]),
        ("nv_integral", [matrix, matrix, number]),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, None
    library.nv_face_detect.restype = number
    library.nv_face_detect.argtypes = [
        *(pointer, number, matrix, matrix, pointer, pointer, pointer, pointer, number, pointer),
        *(real, real, real),
    ]
    return library
