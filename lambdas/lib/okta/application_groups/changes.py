"""Changes which groups have which applications of an Okta org.

Apart from what reads, which need not wait for all these definitions.
"""

from circulate_core.aws import caller

assign = caller("okta.application_groups.assign")
unassign = caller("okta.application_groups.unassign")
