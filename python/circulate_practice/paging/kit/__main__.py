"""Serve a practice list: `python -m circulate_practice.paging.kit`."""

import argparse
import sys

from circulate_practice.paging.kit.command import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="circulate practice-list", description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
