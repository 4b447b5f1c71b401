"""Pulls the applications of an Okta org into the data lake, and looks applications up."""

from circulate_core.aws import caller, puller

list = puller("okta.applications")  # noqa: A001 - named after the operation
get = caller("okta.applications.get")
