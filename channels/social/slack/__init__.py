"""Slack: direct messages, mentions and chosen channels, by the Events API or socket mode."""

from channels.contract import Capabilities, ChannelSpec, Format, Ingress, Threads

SPEC = ChannelSpec(
    id="slack",
    title="Slack",
    adapter="channels.social.slack.adapter:Channel",
    settings="channels.social.slack.settings:SlackSettings",
    capabilities=Capabilities(
        formats=frozenset({Format.PLAIN, Format.MARKDOWN}),
        text_max=10_000,
        threads=Threads.NATIVE,
        attachments_max=10,
        attachment_bytes_max=25 * 1024 * 1024,
        typing=True,
        can_initiate=True,
        lookup_sent=True,
        edits=True,
        citations=True,
        chat_like=True,
    ),
    ingress=frozenset({Ingress.WEBHOOK, Ingress.LISTEN}),
    peer_kind="slack",
    icon="hash",
    lab="channels.social.slack.lab:SlackLab",
)
