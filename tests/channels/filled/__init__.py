"""Carrier pigeon: short notes over a small JSON API. What a newcomer fills into a scaffolded folder."""

from channels.contract import Capabilities, ChannelSpec, Ingress, Threads

SPEC = ChannelSpec(
    id="carrier_pigeon",
    title="Carrier pigeon",
    adapter="channels.carrier_pigeon.adapter:Channel",
    settings="channels.carrier_pigeon.settings:Settings",
    capabilities=Capabilities(text_max=500, threads=Threads.PEER, idempotent_send=True, can_initiate=True),
    ingress=frozenset({Ingress.WEBHOOK}),
    peer_kind="loft",
)
