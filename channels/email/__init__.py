"""E-mail: SMTP in and out, IMAP for mailboxes that live elsewhere."""

from channels.contract import Capabilities, ChannelSpec, Format, Ingress, Threads

SPEC = ChannelSpec(
    id="email",
    title="E-mail",
    adapter="channels.email.adapter:Channel",
    settings="channels.email.settings:EmailSettings",
    capabilities=Capabilities(
        formats=frozenset({Format.PLAIN, Format.HTML}),
        subject=True,
        threads=Threads.REFERENCES,
        attachments_max=20,
        attachment_bytes_max=25 * 1024 * 1024,
        copies=True,
        receipts=True,
        can_initiate=True,
        idempotent_send=True,
    ),
    ingress=frozenset({Ingress.SERVER, Ingress.LISTEN, Ingress.POLL}),
    peer_kind="email",
    icon="mail",
    lab="channels.email.lab:MailLab",
)
