"""Datasets, suites and importers by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "datasets": {
        "demo": "anisora.datasets.demo:DemoDataset",
        "manifest": "anisora.datasets.manifest:ManifestDataset",
    },
    "importers": {
        "anisora-948": "anisora.datasets.anisora_948.importing:anisora_948",
        "showcase-13": "anisora.datasets.showcase_13.importing:showcase_13",
        "vbench-i2v": "anisora.datasets.vbench_i2v.importing:vbench_i2v",
    },
    "suites": {
        "anisora-7": "anisora.datasets:suites/anisora-7.yaml",
        "demo": "anisora.datasets:suites/demo.yaml",
        "vbench-custom": "anisora.datasets:suites/vbench-custom.yaml",
        "vbench-i2v-8": "anisora.datasets:suites/vbench-i2v-8.yaml",
    },
}
