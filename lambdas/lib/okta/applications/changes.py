"""Changes applications of an Okta org.

Apart from what reads, which need not wait for all these definitions.
"""

from circulate_core.aws import caller

activate = caller("okta.applications.activate")
deactivate = caller("okta.applications.deactivate")
delete = caller("okta.applications.delete")
