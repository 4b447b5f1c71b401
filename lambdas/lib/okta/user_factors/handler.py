"""Takes factors of users of an Okta org away."""

from circulate_core.aws import caller

reset = caller("okta.user_factors.reset")
