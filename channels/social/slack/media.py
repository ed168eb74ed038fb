"""Files of messages, fetched with the bot's token from Slack's own hosts alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from channels import egress
from channels.contract import Attachment, AuthFailed, Rejected
from channels.social.slack.api import Api
from channels.social.slack.parse import FILE_URL
from channels.social.slack.settings import SlackSettings

HOSTS = (".slack.com", "slack-files.com")
BYTES_MAX = 1024 * 1024 * 1024
"""What Slack itself takes; the core stops far earlier."""
_LOGIN_PAGE = "Slack answers with its login page instead of the file: the token is not good for it"


async def download(attachment: Attachment, api: Api, settings: SlackSettings) -> AsyncIterator[bytes]:
    """The file, piece by piece. Raises Rejected, AuthFailed or Retryable.

    Without a valid token Slack redirects to a login page and calls that a success, so a page of HTML in place of
    another type is a failed login. Where a page was promised its size tells.
    """
    url = attachment.url or ""
    if url.startswith(FILE_URL):
        file = (await api.call("files.info", {"file": url.removeprefix(FILE_URL)})).get("file") or {}
        url = str(file.get("url_private_download") or file.get("url_private") or "")
    if not url:
        raise Rejected("Slack names no address for this file", code="media_gone")
    token = settings.bot_token.get_secret_value()
    got, page = 0, False
    async for piece in egress.fetch(
        url,
        hosts=HOSTS,
        trusted=(settings.api_url,),
        headers={"Authorization": f"Bearer {token}"},
        limit=BYTES_MAX,
    ):
        if not got and piece.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
            page = True
            if attachment.content_type.partition(";")[0].strip().lower() not in ("text/html", "text/plain"):
                raise AuthFailed(_LOGIN_PAGE)
        got += len(piece)
        yield piece
    if page and attachment.size is not None and got != attachment.size:
        raise AuthFailed(_LOGIN_PAGE)
