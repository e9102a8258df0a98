"""`aircon completion`: prints a shell's completion script."""

from __future__ import annotations

import argparse

from console import diagnostics, output
from console.completion import completion


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    output.script(completion(args.shell))
    return diagnostics.OK
