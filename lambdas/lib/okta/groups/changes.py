"""Changes groups of an Okta org, and who is in them.

Apart from what reads, which need not wait for all these definitions.
"""

from circulate_core.aws import caller

create = caller("okta.groups.create")
update = caller("okta.groups.update")
delete = caller("okta.groups.delete")
add_member = caller("okta.groups.add_member")
remove_member = caller("okta.groups.remove_member")
add_member_by_name = caller("okta.groups.add_member_by_name")
remove_member_by_name = caller("okta.groups.remove_member_by_name")
