"""Where models, parameter files and launch files lie: in the installed package's share folder, else in the checkout."""

from __future__ import annotations

import os
import re
from pathlib import Path

PACKAGE = "pose_attention_ros"
MODELS_VARIABLE = "POSE_ATTENTION_MODELS"


def package_share() -> Path:
    """The folder that holds `models/`, `config/` and `launch/`.

    An installed copy of this code finds the share folder of its own install prefix, so that two installs never mix; code
    in a checkout finds the checkout.

    :raises FileNotFoundError: the code was copied out of both, so that no such folder belongs to it
    """
    code = Path(__file__).resolve().parents[1]
    prefixes = [*code.parents, *map(Path, filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)))]
    for folder in (code.parent, *(prefix / "share" / PACKAGE for prefix in prefixes)):
        if (folder / "package.xml").is_file():
            return folder
    raise FileNotFoundError(f"no share folder of {PACKAGE} above {code} or in AMENT_PREFIX_PATH")


def models_dir() -> Path:
    """The folder of model directories: $POSE_ATTENTION_MODELS where it is set, else `models/` of the package."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen).expanduser() if chosen else package_share() / "models"


def config_dir() -> Path:
    """The folder of parameter files and training recipes, `config/` of the package."""
    return package_share() / "config"


def package_version() -> str:
    """The version that package.xml states, which is the only place of it; "unknown" for code without its share folder."""
    try:
        manifest = (package_share() / "package.xml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return "unknown"
    return re.search(r"<version[^>]*>(.+)</version>", manifest).group(1)
