"""Pulls the system log of an Okta org into the data lake."""

from circulate_core.aws import puller

list = puller("okta.system_log")  # noqa: A001 - named after the operation
