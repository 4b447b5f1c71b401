"""What the system log says of the effects of operations."""

from typing import Final

from circulate_practice.data.json_text import quoted
from circulate_practice.okta.system_log import SystemLog
from circulate_practice.operations.call import Effect

_TYPES: Final = {
    "users.create": "user.lifecycle.create",
    "users.update": "user.account.update_profile",
    "users.replace": "user.account.update_profile",
    "users.activate": "user.lifecycle.activate",
    "users.deactivate": "user.lifecycle.deactivate",
    "users.reactivate": "user.lifecycle.reactivate",
    "users.suspend": "user.lifecycle.suspend",
    "users.unsuspend": "user.lifecycle.unsuspend",
    "users.unlock": "user.account.unlock_by_admin",
    "users.expire_password": "user.account.expire_password",
    "users.expire_password_with_temp_password": "user.account.expire_password",
    "users.reset_password": "user.account.reset_password",
    "users.reset_factors": "user.mfa.factor.reset_all",
    "users.clear_sessions": "user.session.clear",
    "user_factors.delete": "user.mfa.factor.deactivate",
    "user_grants.revoke": "app.oauth2.consent.revoke",
    "user_grants.revoke_all": "app.oauth2.consent.revoke",
    "user_tokens.revoke": "app.oauth2.token.revoke",
    "user_tokens.revoke_all": "app.oauth2.token.revoke",
    "user_roles.assign": "user.account.privilege.grant",
    "user_roles.unassign": "user.account.privilege.revoke",
    "groups.create": "group.lifecycle.create",
    "groups.replace": "group.profile.update",
    "groups.delete": "group.lifecycle.delete",
    "group_members.add": "group.user_membership.add",
    "group_members.remove": "group.user_membership.remove",
    "apps.activate": "application.lifecycle.activate",
    "apps.deactivate": "application.lifecycle.deactivate",
    "apps.delete": "application.lifecycle.delete",
    "app_users.assign": "application.user_membership.add",
    "app_users.update": "application.user_membership.update",
    "app_users.remove": "application.user_membership.remove",
    "app_groups.assign": "group.application_assignment.add",
    "app_groups.remove": "group.application_assignment.remove",
    "devices.activate": "device.lifecycle.activate",
    "devices.deactivate": "device.lifecycle.deactivate",
    "devices.suspend": "device.lifecycle.suspend",
    "devices.unsuspend": "device.lifecycle.unsuspend",
    "devices.delete": "device.lifecycle.delete",
    "api_tokens.revoke": "system.api_token.revoke",
    "zones.create": "zone.create",
    "zones.replace": "zone.update",
    "zones.delete": "zone.delete",
    "zones.activate": "zone.activate",
    "zones.deactivate": "zone.deactivate",
}
_DELETIONS: Final = {"deactivate": "user.lifecycle.deactivate", "delete": "user.lifecycle.delete.initiated"}
_TARGETS: Final = {
    "users": ("User",),
    "user_factors": ("User", "Factor"),
    "user_grants": ("User", "Grant"),
    "user_tokens": ("User", "refresh_token"),
    "user_roles": ("User", "ROLE"),
    "groups": ("UserGroup",),
    "group_members": ("UserGroup", "User"),
    "apps": ("AppInstance",),
    "app_users": ("AppInstance", "User"),
    "app_groups": ("AppInstance", "UserGroup"),
    "devices": ("Device",),
    "api_tokens": ("Token",),
    "zones": ("NetworkZone",),
}
"""What the objects of an effect are, the object first."""


def note(log: SystemLog, operation: str, effect: Effect) -> None:
    """Add an event about the effect of an operation to the system log."""
    event_type = _TYPES.get(operation) or _DELETIONS[str(effect.detail["did"])]
    kinds = _TARGETS[operation.partition(".")[0]]
    targets = [
        (record_id, kind) for record_id, kind in zip((effect.id, effect.child), kinds, strict=False) if record_id
    ]
    texts = (b'{"id":%b,"type":%b}' % (quoted(record_id), quoted(kind)) for record_id, kind in targets)
    log.note(
        {
            "eventType": quoted(event_type),
            "displayMessage": quoted(event_type),
            "severity": b'"INFO"',
            "outcome": b'{"result":"SUCCESS"}',
            "target": b"[%b]" % b",".join(texts),
        }
    )
