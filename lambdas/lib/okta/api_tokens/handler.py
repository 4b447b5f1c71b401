"""Revokes API tokens of an Okta org."""

from circulate_core.aws import caller

revoke = caller("okta.api_tokens.revoke")
