"""Contender `ours`: pull all users through the library. Usage: `ours.py [--format FORMAT] PLACE [STATE]`."""

import argparse
import os

import circulate_core

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", default="json")
    parser.add_argument("place")
    parser.add_argument("state", nargs="?")
    options = parser.parse_args()
    circulate_core.pull(
        "okta.users",
        to=options.place,
        state=options.state,
        format=options.format,
        account="practice",
        settings={"org_url": os.environ["OKTA_ORG_URL"], "api_token": os.environ["OKTA_API_TOKEN"]},
    )
