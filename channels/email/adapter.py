"""The e-mail channel: joins what the other files of this folder do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import dns.resolver
from pydantic import JsonValue

from channels.contract import (
    Checked,
    Context,
    Cursor,
    Inbound,
    Outbound,
    RawInbound,
    Resolve,
    Sent,
    ServerConfig,
    Sink,
    SinkFor,
    Verification,
)
from channels.email import authenticity, imap, oauth, outgoing, receive, records
from channels.email.addresses import normalise_address
from channels.email.oauth import Access
from channels.email.parse import parse
from channels.email.settings import EmailSettings, Incoming, Security
from channels.email.tokens import without_token
from channels.email.verification import verification


class Channel:
    """One mail account (`Adapter`, `Listen`, `Poll`, `Enrich`, `Authorise`, `Verifies`); the class itself is the SMTP receiver (`Server`)."""

    resolver: ClassVar[dns.resolver.Resolver | None] = None
    """Whom `enrich` asks; None for the resolver of the machine."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings: EmailSettings = context.settings
        self._access = Access(context)

    async def check(self) -> Checked:
        """Logs in at the SMTP server and, where one is set, opens the IMAP folder; then looks at the domain's DNS."""
        await outgoing.check(self.settings, self._access)
        if self.settings.incoming is Incoming.IMAP:
            await imap.check(self.settings, self._access)
        missing = (*self._missing(), *await records.advice(self.settings, type(self).resolver))
        return Checked(identity=self.settings.address, missing=missing)

    def _missing(self) -> Iterator[str]:
        if self.settings.smtp_security is Security.NONE and self.settings.smtp_user:
            yield "The SMTP password travels without encryption. Choose TLS or STARTTLS."
        if self.settings.incoming is Incoming.IMAP and self.settings.imap_security is Security.NONE:
            yield "The IMAP password travels without encryption. Choose TLS or STARTTLS."
        if self.settings.incoming is Incoming.IMAP and not self.settings.authserv_id:
            yield "Senders cannot be verified. Enter the name in your provider's Authentication-Results header."

    async def poll(self, cursor: Cursor) -> tuple[Sequence[RawInbound], Cursor]:
        return await imap.poll(self.settings, cursor, self._access)

    async def listen(self, sink: Sink) -> None:
        await imap.listen(self.settings, self.context.cursor, sink, self._access)

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        return parse(raw, self.settings, self.context.secret)

    async def enrich(self, events: Sequence[Inbound], raw: RawInbound) -> Sequence[Inbound]:
        return await authenticity.enrich(events, raw, self.settings, type(self).resolver)

    async def send(self, message: Outbound) -> Sent:
        return await outgoing.send(message, self.settings, self.context.secret, self._access)

    def authorisation(self, redirect_uri: str, state: str, challenge: str) -> str:
        return oauth.authorisation(self.settings, redirect_uri, state, challenge)

    async def authorised(self, code: str, redirect_uri: str, verifier: str) -> Mapping[str, JsonValue]:
        return await oauth.authorised(self.settings, code, redirect_uri, verifier)

    def verification(self, raw: RawInbound, events: Sequence[Inbound]) -> Verification | None:
        return verification(raw, events)

    async def aclose(self) -> None:
        """Nothing is kept open between calls."""

    @classmethod
    async def serve(
        cls, config: ServerConfig, sink_for: SinkFor, resolve: Resolve, ready: Callable[[int], None]
    ) -> None:
        await receive.serve(config, sink_for, resolve, ready, cls.normalise_recipient)

    @classmethod
    def recipient_key(cls, settings: Any) -> str | None:
        return without_token(EmailSettings.model_validate(settings).address)

    @classmethod
    def normalise_recipient(cls, recipient: str) -> str:
        return without_token(normalise_address(recipient))
