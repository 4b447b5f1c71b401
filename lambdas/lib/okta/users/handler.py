"""Pulls the users of an Okta org into the data lake, and looks users up, each alone, and their groups."""

from circulate_core.aws import caller, puller

list = puller("okta.users")  # noqa: A001 - named after the operation
get = caller("okta.users.get")
groups = caller("okta.users.groups")
