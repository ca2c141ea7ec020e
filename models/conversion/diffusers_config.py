"""What a folder of diffusers says that a network is built with: its ``config.json``."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anisora.harness.errors import ConfigError

__all__ = ["network_arguments"]


def network_arguments(config: Mapping[str, Any], network: type[Any], file: Path) -> dict[str, Any]:
    """Return the keyword arguments of a network's class.

    Args:
        config: Of one network, such as that of ``transformer`` below a folder that diffusers saved.
        network: The class that is to be built.
        file: Where the configuration was read, for messages.

    Raises:
        ConfigError: It is of another class, or has an argument that the class does not; diffusers would pass over such
            an argument, and make another network than was trained.
    """
    found = config.get("_class_name")
    if found != network.__name__:
        raise ConfigError(f"`{file}` is of {found!r}; expected {network.__name__!r}. Name the folder of that network.")
    arguments = {name: value for name, value in config.items() if not name.startswith("_")}
    unknown = sorted(arguments.keys() - inspect.signature(network.__init__).parameters.keys())
    if unknown:
        raise ConfigError(
            f"`{file}` has {', '.join(unknown)}, which {network.__name__} of this diffusers does not know; expected "
            "its arguments alone. Install the version of diffusers that is named there, or a newer one."
        )
    return arguments
