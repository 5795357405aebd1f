"""Arguments → window or command line. Imports nothing heavy: what a command needs it imports itself."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    from qmlstudio.command_line import run

    return run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
