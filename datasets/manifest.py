"""A dataset that is a manifest: the way to bring items of one's own."""

from collections.abc import Iterator
from pathlib import Path

from anisora.harness.inputs.manifest import read_manifest, samples_of
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Sample

__all__ = ["ManifestDataset"]


class ManifestDataset:
    """The items of a JSONL, CSV or Parquet manifest.

    The column ``video`` plays no part here: it says what some system made of an item, and a dataset is what
    systems are given. The clip to compare with is ``ground_truth``.

    Args:
        path: The manifest.

    Raises:
        DataError: The manifest is wrong; the message has the line.
    """

    def __init__(self, path: str) -> None:
        """Read and check the manifest; files it names are hashed when the items are first asked for."""
        self._path = Path(path)
        self._rows = read_manifest(self._path, allow_missing=True)
        self._revision = sha256_of_file(self._path)
        self._samples: list[Sample] | None = None

    @property
    def name(self) -> str:
        """The manifest's file name without its suffix."""
        return self._path.stem

    @property
    def revision(self) -> str:
        """sha256 of the manifest; the files it names are in the digests of the items."""
        return self._revision

    def __len__(self) -> int:
        return len({row.id for row in self._rows})

    def __iter__(self) -> Iterator[Sample]:
        if self._samples is None:
            self._samples = samples_of(self._rows)
        return iter(self._samples)
