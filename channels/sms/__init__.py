"""SMS and MMS by Twilio: texts and pictures to and from phones."""

from channels.contract import Capabilities, ChannelSpec, Ingress, TextUnit, Threads

SPEC = ChannelSpec(
    id="sms",
    title="SMS",
    adapter="channels.sms.adapter:Channel",
    settings="channels.sms.settings:SmsSettings",
    capabilities=Capabilities(
        text_max=10,
        text_unit=TextUnit.SMS_SEGMENTS,
        threads=Threads.PEER,
        attachments_max=10,
        attachment_bytes_max=5 * 1024 * 1024,
        receipts=True,
        can_initiate=True,
        lookup_sent=True,
        chat_like=True,
    ),
    ingress=frozenset({Ingress.WEBHOOK}),
    peer_kind="phone",
    icon="message-square-text",
    lab="channels.sms.lab:Lab",
)
