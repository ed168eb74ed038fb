"""Telegram: a bot that people write to, alone or in groups, by long polling or a webhook."""

from channels.contract import Capabilities, ChannelSpec, Format, Ingress, TextUnit, Threads

SPEC = ChannelSpec(
    id="telegram",
    title="Telegram",
    adapter="channels.social.telegram.adapter:Channel",
    settings="channels.social.telegram.settings:TelegramSettings",
    capabilities=Capabilities(
        formats=frozenset({Format.PLAIN, Format.HTML, Format.MARKDOWN}),
        text_max=4096,
        text_unit=TextUnit.UTF16,
        threads=Threads.PEER,
        attachments_max=10,
        attachment_bytes_max=50 * 1000 * 1000,
        # A caption holds 1,024 units, a text 4,096: what does not fit beside its files has to go apart from them.
        text_with_attachments=False,
        typing=True,
        edits=True,
        citations=True,
        chat_like=True,
    ),
    ingress=frozenset({Ingress.WEBHOOK, Ingress.LISTEN}),
    peer_kind="telegram",
    icon="send",
    lab="channels.social.telegram.lab:TelegramLab",
)
