"""Pulls the groups of an Okta org into the data lake, and looks groups up, by id and by name."""

from circulate_core.aws import caller, puller

list = puller("okta.groups")  # noqa: A001 - named after the operation
get = caller("okta.groups.get")
find = caller("okta.groups.find")
