"""Changes which users have which applications of an Okta org.

Apart from what reads, which need not wait for all these definitions.
"""

from circulate_core.aws import caller

assign = caller("okta.application_users.assign")
unassign = caller("okta.application_users.unassign")
