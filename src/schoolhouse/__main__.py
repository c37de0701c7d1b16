"""`schoolhouse`, and `python -m schoolhouse`.

The command line is imported late, since worker processes import this module again and have no use for it.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from schoolhouse.cli import main as run

    run()


if __name__ == "__main__":
    main()
