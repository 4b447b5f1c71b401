"""Pulls the members of the groups of an Okta org into the data lake."""

from circulate_core.aws import puller

list = puller("okta.group_members")  # noqa: A001 - named after the operation
