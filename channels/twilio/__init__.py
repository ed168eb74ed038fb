"""What the SMS and the voice channel share of their provider, Twilio. Not a channel: there is no SPEC here.

`client` speaks to Twilio by its official SDK and turns every failure into an error of the contract; `errors` knows
Twilio's error codes; `signature` proves that a webhook is Twilio's; `form` reads its body; `fake` and what stands
beside it is a Twilio on loopback, for the tests and for the demo's lab. Only `channels.sms` and `channels.voice`
import from here.
"""
