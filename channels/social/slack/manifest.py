"""The description of the Slack app that an admin creates: pasted at api.slack.com/apps, it asks for what is needed."""

from __future__ import annotations

import json
from typing import Any

from channels.social.slack.settings import Mode

SCOPES: tuple[str, ...] = (
    *("app_mentions:read", "channels:history", "channels:read", "chat:write", "files:read", "files:write"),
    *("groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read"),
    *("reactions:read", "users:read", "users:read.email"),
)
EVENTS: tuple[str, ...] = (
    *("app_mention", "app_uninstalled", "message.channels", "message.groups", "message.im", "message.mpim"),
    *("reaction_added", "reaction_removed", "tokens_revoked"),
)


def manifest(hook_url: str, mode: Mode, name: str = "Support") -> dict[str, Any]:
    """https://docs.slack.dev/reference/app-manifest"""
    socket = mode is Mode.SOCKET
    at: dict[str, Any] = {} if socket else {"request_url": hook_url}
    return {
        "display_information": {"name": name},
        "features": {
            "app_home": {"messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
            "bot_user": {"display_name": name, "always_online": True},
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**at, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **at},
            "org_deploy_enabled": False,
            "socket_mode_enabled": socket,
            "token_rotation_enabled": False,
        },
    }


def manifest_json(hook_url: str, mode: Mode, name: str = "Support") -> str:
    """The manifest as it is pasted."""
    return json.dumps(manifest(hook_url, mode, name), ensure_ascii=False)
