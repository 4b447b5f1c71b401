"""Pulls the users of the applications of an Okta org into the data lake, and looks such assignments up."""

from circulate_core.aws import caller, puller

list = puller("okta.application_users")  # noqa: A001 - named after the operation
get = caller("okta.application_users.get")
