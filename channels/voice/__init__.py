"""The telephone: calls to a Twilio number, answered aloud turn by turn."""

from channels.contract import Capabilities, ChannelSpec, Ingress, Threads

TEXT_MAX = 1800
"""Characters of one spoken answer, about two minutes. Twilio takes 4,000 for the whole document that says it."""

SPEC = ChannelSpec(
    id="voice",
    title="Telephone (Twilio)",
    adapter="channels.voice.adapter:Channel",
    settings="channels.voice.settings:VoiceSettings",
    capabilities=Capabilities(
        text_max=TEXT_MAX,
        # A call is the conversation. Two calls from one number (a switchboard) must never hear each other's answers.
        threads=Threads.NATIVE,
        receipts=True,
        live_audio=True,
        keypad=True,
        citations=True,
    ),
    ingress=frozenset({Ingress.WEBHOOK}),
    peer_kind="phone",
    icon="phone",
    lab="channels.voice.lab:VoiceLab",
)
