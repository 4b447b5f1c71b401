"""Pulls the users of an Okta org into the data lake."""

from circulate_core.aws import puller

list = puller("okta.users")  # noqa: A001 - named after the operation
