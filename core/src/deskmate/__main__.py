"""`deskmate`, and `python -m deskmate`. What it is asked most often, its version, is answered before anything is loaded."""

from __future__ import annotations

import sys

from deskmate import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"deskmate, version {__version__}\n")
        return
    from deskmate.cli import main as run  # noqa: PLC0415 - this is what takes time

    run()


if __name__ == "__main__":
    main()
