"""Pulls the users of the applications of an Okta org into the data lake."""

from circulate_core.aws import puller

list = puller("okta.application_users")  # noqa: A001 - named after the operation
