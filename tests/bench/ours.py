"""Contender `ours`: pull all users through the library. Usage: `ours.py FOLDER`, or `ours.py PLACE STATE`."""

import os
import sys

import circulate_core

if __name__ == "__main__":
    circulate_core.pull(
        "okta.users",
        to=sys.argv[1],
        state=sys.argv[2] if len(sys.argv) > 2 else None,
        account="practice",
        settings={"org_url": os.environ["OKTA_ORG_URL"], "api_token": os.environ["OKTA_API_TOKEN"]},
    )
