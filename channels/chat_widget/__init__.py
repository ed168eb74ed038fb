"""Chat on a web page. Its provider is the house itself: the committed message is the delivery."""

from channels.contract import Capabilities, ChannelSpec, Threads

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
        citations=True,
        chat_like=True,
    ),
    ingress=frozenset(),  # frames come over the house's own socket
    peer_kind="visitor",
    icon="messages-square",
)
