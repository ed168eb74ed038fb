"""The tree of a mail's parts."""

from __future__ import annotations

from email.message import Message


def children(part: Message) -> list[Message]:
    """The parts right below; none of a leaf. (`get_payload` of a leaf would decode it, by a stranger's charset.)"""
    if not part.is_multipart():
        return []
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
