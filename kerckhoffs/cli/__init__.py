"""The command line."""

from kerckhoffs.cli.app import main

__all__ = ["main"]
