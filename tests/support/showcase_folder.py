"""A folder with the images of the thirteen examples, named as Index-anisora names them; the pictures are drawn."""

from pathlib import Path

from vbench_i2v_folder import save_picture

from anisora.datasets.showcase_13.items import MASK, known_examples

__all__ = ["save_mask", "write_showcase_folder"]


def save_mask(path: Path, width: int, height: int, *, left: float) -> None:
    """Write a mask, white from a share of the width on, in one bit per pixel as those of the repository are."""
    from PIL import Image

    mask = Image.new("1", (width, height))
    mask.paste(1, (int(left * width), height // 4, int((left + 0.3) * width), 3 * height // 4))
    mask.save(path)


def write_showcase_folder(folder: Path, *, width: int = 96, height: int = 64) -> Path:
    """Write the images and masks of all examples, each of its own, and a picture that belongs to none."""
    folder.mkdir(parents=True)
    for example in known_examples().items:
        for place, name in example.files.items():
            if place == MASK:
                save_mask(folder / name, width, height, left=0.05 * (example.number - 10))
            elif not (folder / name).exists():
                # PNG whatever the suffix says, as of some images of the repository.
                save_picture(folder / "picture.png", len(list(folder.iterdir())), width, height)
                (folder / "picture.png").rename(folder / name)
    save_picture(folder / "framework.png", 1000, width, height)
    return folder
