"""Suspends and deactivates devices of an Okta org."""

from circulate_core.aws import caller

suspend = caller("okta.devices.suspend")
unsuspend = caller("okta.devices.unsuspend")
deactivate = caller("okta.devices.deactivate")
