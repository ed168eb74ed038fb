"""Files of messages. Their real address holds the bot's token, so it is asked for, used and forgotten here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from channels import egress
from channels.contract import Attachment, ChannelError, Rejected, Retryable
from channels.social.telegram.api import Api
from channels.social.telegram.content import FILE_URL
from channels.social.telegram.settings import TelegramSettings

HOSTS = ("api.telegram.org",)
HOSTED_MAX, OWN_MAX = 20 * 1000 * 1000, 2_000 * 1000 * 1000
"""What Telegram's own server hands out, and one of our own: https://core.telegram.org/bots/api#using-a-local-bot-api-server"""


async def download(attachment: Attachment, api: Api, settings: TelegramSettings) -> AsyncIterator[bytes]:
    """The file, piece by piece. Raises Rejected, AuthFailed or Retryable, none of which shows the address."""
    url = attachment.url or ""
    if not url.startswith(FILE_URL):
        raise Rejected("this is no file of Telegram's", code="media_host_refused")
    limit = HOSTED_MAX if settings.hosted else OWN_MAX
    if (attachment.size or 0) > limit:
        raise Rejected(f"Telegram hands out no file larger than {limit} bytes", code="media_too_large")
    path = await _path(url.removeprefix(FILE_URL), api)
    address = f"{settings.api_url}/file/bot{settings.bot_token.get_secret_value()}/{quote(path, safe='/')}"
    pieces = egress.fetch(address, hosts=HOSTS, trusted=(settings.api_url,), limit=limit)
    failed: ChannelError | None = None
    try:
        async for piece in pieces:
            yield piece
    except ChannelError as error:
        failed = _bare(error)
    if failed is not None:
        # Outside the handler, so that the client's own error, which may show the address, does not come along.
        raise failed


async def _path(file_id: str, api: Api) -> str:
    try:
        told = await api.call(lambda bot: bot.file_path(file_id))
    except Rejected as error:
        code = "media_too_large" if "too big" in str(error).lower() else "media_gone"
        raise Rejected(str(error), code=code) from None
    path = told.get("file_path") if isinstance(told, dict) else None
    if not isinstance(path, str) or not path:
        raise Retryable("Telegram names no place for this file yet")
    if path.startswith("/"):
        raise Rejected(
            "the Bot API server runs in its local mode, in which files do not leave it by http: start it without --local",
            code="media_local",
        )
    if ".." in path.split("/"):
        raise Rejected("Telegram's answer names a strange place for the file", code="media_host_refused")
    return path


def _bare(error: ChannelError) -> ChannelError:
    if isinstance(error, Retryable):
        return Retryable(str(error), after=error.after, code=error.code)
    return type(error)(str(error), code=error.code)
