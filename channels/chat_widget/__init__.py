"""Chat on a web page. Its provider is the house itself: the committed message is the delivery."""

from channels.contract import Capabilities, ChannelSpec, Ingress, Threads

SPEC = ChannelSpec(
    id="chat_widget",
    title="Chat widget",
    adapter="channels.chat_widget.adapter:Channel",
    settings="channels.chat_widget.settings:WidgetSettings",
    capabilities=Capabilities(
        text_max=8000,
        threads=Threads.NATIVE,
        typing=True,
        receipts=True,
        idempotent_send=True,
        chat_like=True,
    ),
    ingress=frozenset({Ingress.WEBHOOK}),
    peer_kind="visitor",
    icon="messages-square",
    demo=True,
)
