"""Changes users of an Okta org, each alone.

Apart from what reads, which need not wait for all these definitions.
"""

from circulate_core.aws import caller

create = caller("okta.users.create")
update = caller("okta.users.update")
replace = caller("okta.users.replace")
activate = caller("okta.users.activate")
deactivate = caller("okta.users.deactivate")
reactivate = caller("okta.users.reactivate")
suspend = caller("okta.users.suspend")
unsuspend = caller("okta.users.unsuspend")
unlock = caller("okta.users.unlock")
expire_password = caller("okta.users.expire_password")
reset_password = caller("okta.users.reset_password")
clear_sessions = caller("okta.users.clear_sessions")
reset_factors = caller("okta.users.reset_factors")
revoke_grants = caller("okta.users.revoke_grants")
revoke_tokens = caller("okta.users.revoke_tokens")
delete = caller("okta.users.delete")
