"""What a channel is.

A channel folder translates between one provider's wire protocol and the neutral
values on this page. It never touches the ticket core: bytes come in, typed events
go out; an `Outbound` comes in, one provider request goes out.

Everything here stands on the standard library and pydantic alone, so that a channel
can be written, tested and shipped without the rest of the house.

Errors an adapter raises::

    ChannelError
    ├── Retryable(after)      try again, not before `after` seconds
    ├── Rejected              the provider refused this message; trying again is useless
    │   └── Undeliverable     …because the recipient cannot be reached
    ├── AuthFailed            the credentials no longer work: an admin must reconnect
    ├── OutcomeUnknown        cut after the provider may have accepted
    ├── Unverified            a webhook whose signature does not hold
    └── Malformed             bytes that no parser of this channel understands
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic import Field as PField


class Ingress(StrEnum):
    """The ways by which bytes of a channel arrive."""

    WEBHOOK = "webhook"
    POLL = "poll"
    LISTEN = "listen"
    """A connection that the adapter keeps open per account (IMAP IDLE, socket mode)."""
    SERVER = "server"
    """One server for all accounts of the channel (the SMTP receiver)."""


class Trust(StrEnum):
    """How far a sender's identity is believed, weakest first."""

    CLAIMED = "claimed"
    PROVIDER = "provider"
    VERIFIED = "verified"

    @property
    def rank(self) -> int:
        return list(Trust).index(self)


class Threads(StrEnum):
    """How a channel says which conversation a message belongs to."""

    PEER = "peer"
    """One running conversation per peer (SMS, a private chat): `conversation` is the peer's address."""
    NATIVE = "native"
    """The provider itself names the conversation and vouches for it (a Slack thread, a widget chat)."""
    REFERENCES = "references"
    """The sender claims it by references (e-mail): the sender must be a participant for it to count."""


class TextUnit(StrEnum):
    """The unit in which `Capabilities.text_max` counts."""

    CHARS = "chars"
    UTF16 = "utf16"
    BYTES = "bytes"
    SMS_SEGMENTS = "sms_segments"


class Format(StrEnum):
    """Text formats that a channel can carry."""

    PLAIN = "plain"
    HTML = "html"
    MARKDOWN = "markdown"


class Frozen(BaseModel):
    """A value that crosses a boundary: immutable, and closed against unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Capabilities(Frozen):
    """What a channel can carry. The core renders and behaves by these, never by the channel's name."""

    formats: frozenset[Format] = frozenset({Format.PLAIN})
    text_max: int | None = None
    """Longest text of one message in `text_unit`; None where there is no limit."""
    text_unit: TextUnit = TextUnit.CHARS
    subject: bool = False
    threads: Threads = Threads.PEER
    attachments_max: int = 0
    attachment_bytes_max: int = 0
    attachment_types: tuple[str, ...] = ("*/*",)
    text_with_attachments: bool = True
    """False where text and files have to go as separate messages."""
    copies: bool = False
    """Whether a message can have further recipients (CC, BCC)."""
    typing: bool = False
    receipts: bool = False
    reply_window_hours: int | None = None
    can_initiate: bool = False
    idempotent_send: bool = False
    """The same key twice is one message at the recipient's: a send in doubt may simply be repeated."""
    lookup_sent: bool = False
    """A send in doubt can be looked up (`Lookup`)."""
    live_audio: bool = False
    edits: bool = False
    keypad: bool = False
    citations: bool = False
    """Whether it shows the sources of an answer by itself; otherwise they stand in the text."""
    chat_like: bool = False
    """Several quick messages are one thought: the AI waits for a quiet moment and answers once."""


class NoSettings(Frozen):
    """For channels that need none."""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """The business card of a channel folder: all that is known before the adapter is imported."""

    id: str
    """Lower-case, stable, unique: stored with every account."""
    title: str
    adapter: str
    """`package.module:Class`, imported on first use."""
    settings: str
    """`package.module:Model`, a frozen pydantic model; its secrets are `SecretStr`. Its JSON schema draws the admin's form."""
    capabilities: Capabilities
    ingress: frozenset[Ingress]
    peer_kind: str = "peer"
    """The `kind` of its addresses: to whom a conversation can be begun."""
    icon: str = "message-circle"
    """A Lucide icon's name."""
    lab: str | None = None
    """`package.module:Class` of the fake provider that the demo runs: a `channels.lab.Lab`."""


# --------------------------------------------------------------------------- inbound


class Address(Frozen):
    """Somebody outside, as the channel names them."""

    kind: str
    """The namespace of `value`: `email`, `phone`, `slack`, `telegram`, `visitor`, …"""
    value: str
    """Normalised by the adapter: equal people have equal values (lower-case address, E.164 number)."""
    name: str | None = None
    trust: Trust = Trust.CLAIMED


class Automation(StrEnum):
    """Whether a machine wrote it; answered or not, reopened or not depends on this."""

    NONE = "none"
    AUTO_REPLY = "auto_reply"
    BULK = "bulk"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    VERIFICATION = "verification"
    """A mail by which another service proves who owns an address: quarantined, shown to admins only."""


class Authenticity(StrEnum):
    """What is known of the sender's claim."""

    UNKNOWN = "unknown"
    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"


class Attachment(Frozen):
    """A file that came with a message, or goes with one.

    Inbound, either `content` is at hand or `url` is to be fetched through `Media`.
    """

    filename: str
    content_type: str
    size: int | None = None
    content: bytes | None = None
    url: str | None = None
    spoken: bool = False
    """Speech that is the message itself (a voice note, a turn on the phone): its transcript becomes the text."""
    content_id: str | None = None
    """RFC 2392: what `cid:` in the HTML points to. None for ordinary attachments."""
    inline: bool = False


class Event(Frozen):
    """What every inbound event carries."""

    external_id: str
    """The provider's id of the event: the same bytes give the same id, always."""
    conversation: str | None = None
    """The provider's name for the conversation (thread, chat, peer). Ingest is serialised by it."""
    provider_time: datetime | None = None


class MessageReceived(Event):
    """Somebody wrote."""

    type: Literal["message_received"] = "message_received"
    sender: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str | None = None
    text: str = ""
    """What the sender wrote now: plain text, quotes and signature folded away."""
    html: str | None = None
    """The whole body as sanitised HTML: no script, no style sheet, no remote load; `cid:` kept."""
    quoted: str | None = None
    """The folded quote, kept to be shown on request."""
    signature: str | None = None
    language: str | None = None
    """BCP 47, only where the provider or the sender states it."""
    attachments: tuple[Attachment, ...] = ()
    route: Mapping[str, JsonValue] = PField(default_factory=dict)
    """What `send` needs to answer into the same place. Opaque to the core."""
    thread_refs: tuple[str, ...] = ()
    """What this message points back to, strongest evidence first: our reply token's route (`route:<uuid>`), then message ids."""
    automation: Automation = Automation.NONE
    suppress_auto_reply: bool = False
    """The sender asks for no automatic reply (X-Auto-Response-Suppress, Precedence); a person may still answer."""
    authenticity: Authenticity = Authenticity.UNKNOWN
    to_person: bool = False
    """The sender asked for a human by a channel's own means (a key press, a button)."""
    facts: Mapping[str, JsonValue] = PField(default_factory=dict)
    """Further neutral facts worth showing, such as `{"dkim": "pass"}`."""


class MessageEdited(Event):
    type: Literal["message_edited"] = "message_edited"
    message_id: str
    text: str
    html: str | None = None


class MessageDeleted(Event):
    type: Literal["message_deleted"] = "message_deleted"
    message_id: str


class ReactionChanged(Event):
    type: Literal["reaction_changed"] = "reaction_changed"
    message_id: str
    sender: Address
    reaction: str
    added: bool


class ReceiptKind(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


class ReceiptReceived(Event):
    """What became of a message of ours. `message_id` is the external id that `send` returned, or `key` the key it was given."""

    type: Literal["receipt_received"] = "receipt_received"
    kind: ReceiptKind
    message_id: str | None = None
    key: str | None = None
    recipient: Address | None = None
    code: str | None = None
    detail: str | None = None
    permanent: bool = True
    """For `failed`: whether the address itself is bad (a hard bounce)."""
    automation: Automation = Automation.NONE
    """`bounce` or `complaint` where the receipt came as a message of its own."""
    facts: Mapping[str, JsonValue] = PField(default_factory=dict)
    """What the provider tells besides, kept on the delivery: `{"price": "-0.0075", "currency": "USD", "segments": 2}`."""


class PeerChange(StrEnum):
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"


class PeerChanged(Event):
    type: Literal["peer_changed"] = "peer_changed"
    peer: Address
    change: PeerChange


class ActionTaken(Event):
    """A button was pressed."""

    type: Literal["action_taken"] = "action_taken"
    sender: Address
    action: str
    value: str | None = None


class Digits(Event):
    type: Literal["digits"] = "digits"
    sender: Address
    digits: str


class TypingChanged(Event):
    type: Literal["typing_changed"] = "typing_changed"
    sender: Address
    active: bool


class CallStarted(Event):
    type: Literal["call_started"] = "call_started"
    sender: Address
    route: Mapping[str, JsonValue] = PField(default_factory=dict)


class CallEnded(Event):
    type: Literal["call_ended"] = "call_ended"
    sender: Address
    reason: str


Inbound = (
    MessageReceived
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | ReceiptReceived
    | PeerChanged
    | ActionTaken
    | Digits
    | TypingChanged
    | CallStarted
    | CallEnded
)


@dataclass(frozen=True, slots=True)
class RawInbound:
    """Bytes as they arrived, before anybody looked inside. Stored first, understood later."""

    external_id: str
    """Unique per account: what makes a redelivery recognisable. Same bytes by the same way, same id."""
    body: bytes = field(repr=False)
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Request headers with lower-case names; empty outside HTTP."""
    transport: Mapping[str, JsonValue] = field(default_factory=dict)
    """The transport's own facts: `peer_ip`, `helo`, `mail_from`, `rcpt_to`, exact `url`, IMAP `folder`, `uidvalidity`, `uid`."""
    order_key: str | None = None
    """Peer or conversation, as far as the transport tells without parsing: raws of an account with equal keys are
    worked on in the order received. None: this raw waits for no other."""
    received_at: datetime | None = None
    """Set by the core when it stores the raw; an adapter leaves it None."""


# -------------------------------------------------------------------------- outbound


class Citation(Frozen):
    title: str
    url: str | None = None


class Outbound(Frozen):
    """One message to one recipient address, already rendered to the channel's capabilities."""

    key: str
    """Idempotency key: a UUID string, the same for every attempt of this message."""
    to: Address
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    route: Mapping[str, JsonValue] = PField(default_factory=dict)
    """The `route` of the message being answered; `{}` for a new conversation."""
    route_id: str | None = None
    """Our own name of the conversation: what a signed reply address carries, and `thread_refs` gives back as `route:<id>`."""
    reply_to: str | None = None
    """External id of the message being answered."""
    thread_refs: tuple[str, ...] = ()
    """External ids of the conversation so far, oldest first."""
    subject: str | None = None
    text: str = ""
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    citations: tuple[Citation, ...] = ()
    language: str | None = None
    automated: bool = False
    """Written by a machine: channels mark it so that other machines do not answer."""
    author: str | None = None
    """Display name of the person or bot who answers."""
    to_person: bool = False
    """A person is to go on from here: on a live call, ring the team or take a voicemail rather than listen again."""


class Sent(Frozen):
    """The provider has accepted it."""

    external_id: str
    detail: Mapping[str, JsonValue] = PField(default_factory=dict)


class Checked(Frozen):
    """The result of a connection test that succeeded; failure is an exception with a readable message."""

    identity: str
    """Who we are at the provider: the mailbox, the phone number, the bot's name."""
    missing: tuple[str, ...] = ()
    """What works less well than it could, as plain instructions in English message ids."""


class Peer(Frozen):
    """What is known of the peer at the moment a webhook must be answered, read in the transaction that stores it."""

    language: str | None = None
    """Of the contact's earlier messages."""
    handoff: str = "ai"
    """Who owns the open conversation: `ai`, `review`, `queue` or `human`."""
    opted_out: bool = False
    open_now: bool = True
    """Whether the team can be reached at this hour."""
    hears: bool = True
    """Whether speech is understood: False while there is no speech model."""


class WebhookReply(Frozen):
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = PField(default_factory=dict)


# ---------------------------------------------------------------------------- errors


class ChannelError(Exception):
    """Base of everything an adapter may raise on purpose. `code` is stable, the text is for people and holds no secret."""

    code = "channel_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code


class Retryable(ChannelError):
    code = "retryable"

    def __init__(self, message: str, *, after: float = 0.0, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.after = after
        """Seconds before which a new attempt is useless (Retry-After)."""


class Rejected(ChannelError):
    code = "rejected"


class Undeliverable(Rejected):
    """With the code `CONVERSATION_OVER`, the core may reach the same person another way (a call that was hung up)."""

    code = "undeliverable"


CONVERSATION_OVER = "conversation_over"


class AuthFailed(ChannelError):
    code = "auth_failed"


class OutcomeUnknown(ChannelError):
    code = "outcome_unknown"


class Unverified(ChannelError):
    code = "unverified"


class Malformed(ChannelError):
    code = "malformed"


# ------------------------------------------------------------------------- protocols


class Stored(StrEnum):
    """What became of bytes given to a sink."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """All of them were known already: acknowledge just the same."""


Cursor = Mapping[str, JsonValue]


class Sink(Protocol):
    """Commits raws, their jobs and the cursor in one transaction.

    Acknowledge to the outside only after it returns. If it raises, nothing was stored:
    do not acknowledge, the sender will come again.
    """

    async def __call__(self, raws: Sequence[RawInbound], cursor: Cursor | None = None) -> Stored: ...


Publish = Callable[[str, Mapping[str, JsonValue]], Awaitable[None]]
"""`await publish(conversation, payload)`: a fleeting message to whoever watches; may be lost."""


async def publish_nowhere(_conversation: str, _payload: Mapping[str, JsonValue]) -> None:
    """The default `Publish`: nobody watches."""


class Translate(Protocol):
    """`text(language, "voice.greeting", name=…)`: a sentence of the catalogues in the reader's language."""

    def __call__(self, language: str | None, message_id: str, /, n: int | None = None, **params: object) -> str: ...


def untranslated(_language: str | None, message_id: str, /, n: int | None = None, **params: object) -> str:
    """The default `Translate`: the id and its parameters, so that a channel can be tried without the house."""
    return " ".join([message_id, *(str(value) for value in (n, *params.values()) if value is not None)])


Change = Callable[[Any], Awaitable[Mapping[str, JsonValue]]]
"""Gets the account's settings as they stand now and gives the fields that are to be others."""


class Keep(Protocol):
    """Changes settings of the account that the adapter itself looks after, such as tokens that a provider rotates.

    While `change` runs, nobody else is in `keep` for this account, in any process: so a refresh token that may be
    used once is used once. What it returns is durable when `keep` returns; what it raises changes nothing. A mapping
    instead of a function is kept as it is. Returns the settings as they are then.
    """

    async def __call__(self, change: Change | Mapping[str, JsonValue]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Context:
    """All that an adapter is built with. Adapters hold no state that a restart may not lose."""

    account_id: str
    settings: Any
    """An instance of the channel's settings model."""
    channel: str = ""
    """The id of the channel's `ChannelSpec`."""
    cursor: Cursor = field(default_factory=dict)
    public_url: str = "http://127.0.0.1:8000"
    secret: bytes = field(default=b"", repr=False)
    """32 bytes that belong to this account alone: key for signing reply addresses and the like."""
    publish: Publish = publish_nowhere
    text: Translate = untranslated
    languages: tuple[str, ...] = ("en",)
    """BCP 47, those in which `text` has sentences of its own."""
    keep: Keep | None = None
    """None where nothing can be kept: what a provider rotates is lost with the adapter."""

    @property
    def hook_url(self) -> str:
        """Where the provider is to send its webhooks for this account, without the channel's own parameters."""
        return f"{self.public_url}/hooks/{self.channel}/{self.account_id}"


class Adapter(Protocol):
    """Required of every channel. Constructed as `Class(context)`."""

    context: Context

    async def check(self) -> Checked:
        """Test the connection. Raises AuthFailed, Retryable or Rejected with a sentence that helps."""
        ...

    def parse(self, raw: RawInbound) -> Sequence[Inbound]:
        """Pure and deterministic. Raises Malformed; an empty result means: nothing of interest."""
        ...

    async def send(self, message: Outbound) -> Sent:
        """One provider request, one external id. Raises any ChannelError but Unverified and Malformed."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Identify(Protocol):
    def identify(self, raw: RawInbound, events: Sequence[Inbound]) -> RawInbound:
        """The raw with its `external_id` and `order_key`: what makes a redelivery known, and what keeps its place."""
        ...


@runtime_checkable
class Webhook(Identify, Protocol):
    def verify(self, raw: RawInbound) -> None:
        """Raises Unverified. Constant-time comparison."""
        ...

    def respond(self, raw: RawInbound, events: Sequence[Inbound], peer: Peer) -> WebhookReply: ...

    async def subscribe(self) -> None: ...

    async def unsubscribe(self) -> None: ...


@runtime_checkable
class Poll(Protocol):
    async def poll(self, cursor: Cursor) -> tuple[Sequence[RawInbound], Cursor]: ...


@runtime_checkable
class Listen(Protocol):
    async def listen(self, sink: Sink) -> None:
        """Runs until cancelled; stops within two seconds of being cancelled. Raises ChannelError when the connection fails."""
        ...


Resolve = Callable[[str], Awaitable[str | None]]
"""`await resolve(recipient) -> account id`, or None for an address that is not ours."""

SinkFor = Callable[[str], Sink]
"""`sink_for(account_id)`: the sink of one account, for servers that receive for all of them."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a `Server` listens and how much it may hold in memory at once."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the system choose; `Server.serve` calls `ready(port)` with the port in use."""
    hostname: str = "localhost"
    message_bytes_max: int = 25 * 1024 * 1024
    inflight_bytes_max: int = 200 * 1024 * 1024
    lmtp_host: str = "127.0.0.1"
    lmtp_port: int = 0
    """Where mail servers nearby hand over by LMTP; 0: not at all."""
    lmtp_socket: Path | None = None
    """The same by a Unix socket."""
    certificate: Path | None = None
    """PEM chain with which encryption is offered; None: it is not."""
    certificate_key: Path | None = None
    """Its private key; None where it stands in the same file."""


@runtime_checkable
class Server(Protocol):
    """The class itself serves, for all accounts of the channel at once."""

    @classmethod
    async def serve(
        cls, config: ServerConfig, sink_for: SinkFor, resolve: Resolve, ready: Callable[[int], None]
    ) -> None:
        """Runs until cancelled; acknowledges only what a sink has committed. Stops within two seconds."""
        ...

    @classmethod
    def recipient_key(cls, settings: Any) -> str | None:
        """The normalised address under which mail for an account with these settings arrives."""
        ...

    @classmethod
    def normalise_recipient(cls, recipient: str) -> str:
        """What `resolve` looks up: a recipient without its reply token, in the form of `recipient_key`."""
        ...


@runtime_checkable
class Enrich(Protocol):
    async def enrich(self, events: Sequence[Inbound], raw: RawInbound) -> Sequence[Inbound]:
        """Adds facts that need the network (DNS, profiles). Its failure degrades facts, never the message."""
        ...


@runtime_checkable
class Lookup(Protocol):
    async def find_sent(self, key: str, since: datetime, message: Outbound | None = None) -> Sent | None:
        """What became of a send in doubt: by its key, or where the provider keeps none, by what `message` says."""
        ...


@runtime_checkable
class Backfill(Protocol):
    async def list_since(self, since: datetime) -> Sequence[RawInbound]: ...


@runtime_checkable
class Authorise(Protocol):
    """Accounts whose owner lets us in at the provider's own page (RFC 6749 §4.1 with RFC 7636).

    The core makes `state` and verifier, keeps both to itself, and checks the state when the browser comes back.
    """

    def authorisation(self, redirect_uri: str, state: str, challenge: str) -> str:
        """The page to send the owner to; `challenge` is of the method S256. Raises Rejected where none is set up."""
        ...

    async def authorised(self, code: str, redirect_uri: str, verifier: str) -> Mapping[str, JsonValue]:
        """Exchanges the code once; returns the settings to keep. Raises AuthFailed, Rejected or Retryable."""
        ...


class Verification(Frozen):
    """What another service wants from the owner of an address, read from its mail."""

    sender: Address
    subject: str | None = None
    code: str | None = None
    link: str | None = None
    """HTTPS, and of the sending service's own host."""


@runtime_checkable
class Verifies(Protocol):
    def verification(self, raw: RawInbound, events: Sequence[Inbound]) -> Verification | None:
        """What a raw set apart as `Automation.VERIFICATION` asks for; None where it is no such message."""
        ...


@runtime_checkable
class Typing(Protocol):
    async def typing(self, to: Address, route: Mapping[str, JsonValue]) -> None: ...


@runtime_checkable
class Media(Protocol):
    def download(self, attachment: Attachment) -> AsyncIterator[bytes]: ...
