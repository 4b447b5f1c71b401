"""Gives users of an Okta org admin roles, and takes them away."""

from circulate_core.aws import caller

assign = caller("okta.user_roles.assign")
remove = caller("okta.user_roles.remove")
