"""Run the practice org: `python -m circulate_practice`."""

import argparse
import sys

from circulate_practice.server.command import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="circulate practice-org", description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
