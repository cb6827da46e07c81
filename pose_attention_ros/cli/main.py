"""`pose-attention <verb>`: finds the verb, runs it, turns a UserError into one line and exit code 1."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.package_paths import package_version

# verb -> (module with add_arguments(parser) and run(args) -> int, one line of help); a module is imported when it is used.
VERBS = {
    "run": ("run", "label the people in a video or camera stream, without ROS"),
    "view": ("view", "show a source in a web page, where actions can be taught, without ROS"),
    "teach": ("teach", "teach actions by showing them, and list, rename, remove, export what was taught"),
    "models": ("models", "list, fetch and verify model files"),
    "data": ("data", "import and inspect skeleton data sets"),
    "train": ("train", "train a recogniser from a recipe"),
    "evaluate": ("evaluate", "measure a recogniser on clips or streams"),
    "export": ("export", "export a trained model"),
    "bench": ("bench", "measure time and memory, stage by stage"),
    "doctor": ("doctor", "check this machine for everything the robot needs"),
}


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console tool; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    args = parser_for(next((word for word in argv if word in VERBS), None)).parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    logging.basicConfig(level=args.log_level.upper(), format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        code = args.run(args)
        sys.stdout.flush()  # here, where it is told from an error that the reader has gone
        return code
    except UserError as error:
        print(f"pose-attention: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130


def parser_for(*wanted: str | None) -> argparse.ArgumentParser:
    """The parser, with the arguments of the verbs that are `wanted`: only their modules are imported."""
    parser = argparse.ArgumentParser(prog="pose-attention", description=__doc__.split(":")[0])
    parser.add_argument("--version", action="version", version=f"pose-attention {package_version()}")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, (module_name, summary) in VERBS.items():
        verb_parser = verbs.add_parser(verb, help=summary, description=summary)
        if verb in wanted:
            module = importlib.import_module(f"pose_attention_ros.cli.{module_name}")
            module.add_arguments(verb_parser)
            verb_parser.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
