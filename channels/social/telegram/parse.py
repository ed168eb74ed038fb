"""From Telegram's updates to neutral events. Pure: the bot's name, which mentions need, stands in the raw's transport."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from pydantic import JsonValue

from channels.contract import (
    ActionTaken,
    Address,
    Automation,
    Inbound,
    MessageEdited,
    MessageReceived,
    PeerChange,
    PeerChanged,
    RawInbound,
    ReactionChanged,
    Trust,
)
from channels.social.telegram import entities
from channels.social.telegram.content import content_of
from channels.social.telegram.settings import TelegramSettings
from channels.social.telegram.shapes import (
    CallbackQuery,
    Chat,
    Entity,
    MemberUpdated,
    Message,
    ReactionUpdated,
    Update,
    User,
    moment,
    read,
)

KIND = "telegram"
BOT = "bot"
"""Names the bot's user name: in the transport of what was fetched, in the query of the address that Telegram calls."""

CONVERSATION = "conversation"
"""In the route of a group: what a button under an answer says of where it belongs."""

_START = re.compile(r"/start(?:@\w{1,64})?(?:\s+(\S{1,512}))?\s*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_NAME = re.compile(r"\w{1,64}")
_GONE = frozenset({"kicked", "left"})


def message_id(chat: int, message: int) -> str:
    """Our external id of a message: a message's number is unique within its chat alone."""
    return f"{chat}:{message}"


def parse(raw: RawInbound, settings: TelegramSettings) -> list[Inbound]:
    """Raises Malformed. Empty for what is of no interest."""
    update = read(raw)
    if update.message is not None:
        return _message(update, update.message, raw, settings)
    if update.edited_message is not None:
        return _edited(update, update.edited_message, raw, settings)
    if update.callback_query is not None:
        return _pressed(update.callback_query, settings)
    if update.message_reaction is not None:
        return _reactions(update, update.message_reaction, settings)
    if update.my_chat_member is not None:
        return _member(update, update.my_chat_member)
    return []


def identify(raw: RawInbound) -> RawInbound:
    """Known by the number of its update, whichever way it came; in order within its chat.

    Never fails: what Telegram does not number is known by its bytes.
    """
    try:
        data = json.loads(raw.body.decode("utf-8"))
        number = data["update_id"]
    except (ValueError, RecursionError, TypeError, KeyError):
        number = None
    if not isinstance(number, int) or isinstance(number, bool):
        return replace(raw, external_id=f"sha256:{hashlib.sha256(raw.body).hexdigest()}")
    return replace(raw, external_id=f"update:{number}", order_key=_chat_in(data))


def _chat_in(data: Mapping[str, object]) -> str | None:
    for value in data.values():
        holder = value.get("message", value) if isinstance(value, dict) else None
        chat = holder.get("chat") if isinstance(holder, dict) else None
        if isinstance(chat, dict) and isinstance(chat.get("id"), int):
            return str(chat["id"])
    return None


def start_of(update: Update) -> tuple[User, Chat, str | None] | None:
    """Who pressed Start in which chat, and the payload of the link that led there; None for any other update."""
    message = update.message
    if message is None or message.sender is None or not message.chat.personal or message.text is None:
        return None
    found = _START.fullmatch(message.text)
    return (message.sender, message.chat, found[1]) if found else None


def language_of(user: User) -> str | None:
    """BCP 47: of the person's app."""
    tag = user.language_code or ""
    return tag if _LANGUAGE.fullmatch(tag) else None


# ------------------------------------------------------------------------------------------------------- messages


def _message(update: Update, message: Message, raw: RawInbound, settings: TelegramSettings) -> list[Inbound]:
    sender, name = message.sender, _bot_name(raw)
    # A group that became a supergroup says so in two messages without words. The next message comes from the new chat,
    # and what is sent to the old one is sent to the new one (`outgoing`): nothing has to be remembered.
    if sender is None or not _by_person(message, sender) or not _counts(message, name, settings):
        return []
    content = content_of(message)
    text = content.text if message.chat.personal else _called_off(message, content.text, name)
    if not (text or content.attachments):
        return []
    started = start_of(update)
    quoted, origin = _quoted(message, settings), message.forward_origin
    if origin is not None and text:
        # Somebody else's words. What the sender has to say of them comes as a message of its own, just before.
        quoted, text = text, ""
    return [
        MessageReceived(
            external_id=message_id(message.chat.id, message.message_id),
            conversation=_conversation(message, sender),
            provider_time=moment(message.date),
            sender=_address(sender),
            text=text,
            html=content.html if text == content.text else None,
            quoted=quoted,
            language=language_of(sender),
            attachments=content.attachments,
            route=_route(message, sender),
            thread_refs=_refs(message),
            automation=_automation(started),
            facts=_facts(message, sender, started[2] if started else None),
        )
    ]


def _edited(update: Update, message: Message, raw: RawInbound, settings: TelegramSettings) -> list[Inbound]:
    sender, name = message.sender, _bot_name(raw)
    if sender is None or not _by_person(message, sender) or not _counts(message, name, settings):
        return []
    if message.location is not None and message.venue is None:
        return []  # a live position moves on its own
    content = content_of(message)
    return [
        MessageEdited(
            external_id=f"{message_id(message.chat.id, message.message_id)}:edited:{update.update_id}",
            conversation=_conversation(message, sender),
            provider_time=moment(message.edit_date),
            message_id=message_id(message.chat.id, message.message_id),
            text=content.text if message.chat.personal else _called_off(message, content.text, name),
            html=content.html if message.chat.personal else None,
        )
    ]


def _by_person(message: Message, sender: User) -> bool:
    """Channels, anonymous admins and bots (ourselves among them) are no customers."""
    return not (sender.is_bot or message.sender_chat is not None or message.is_automatic_forward)


def _counts(message: Message, name: str | None, settings: TelegramSettings) -> bool:
    """In private everything does; in groups what is said to the bot."""
    if message.chat.personal:
        return True
    if not message.chat.grouped or not settings.groups:
        return False
    answered = message.reply_to_message
    if answered is not None and answered.sender is not None and answered.sender.id == settings.bot_id:
        return True
    text, marks = _words(message)
    return any(_addresses(text, one, name, settings) for one in marks[:100])


def _words(message: Message) -> tuple[str, Sequence[Entity]]:
    if message.text is not None:
        return message.text, message.entities
    return message.caption or "", message.caption_entities


def _addresses(text: str, entity: Entity, name: str | None, settings: TelegramSettings) -> bool:
    if entity.type == "text_mention":
        return entity.user is not None and entity.user.id == settings.bot_id
    if name is None or entity.type not in ("mention", "bot_command"):
        return False
    # A command without a name may be meant for any bot of the group.
    return entities.piece(text, entity).lower().endswith(f"@{name}".lower())


def _called_off(message: Message, text: str, name: str | None) -> str:
    """The text without the name by which the bot is called at its beginning: `@bot, hello`, `/ask@bot hello`."""
    if name is None:
        return text
    command = re.match(rf"(/\w{{1,64}})@{re.escape(name)}\b", text, re.IGNORECASE)
    if command:
        return f"{command[1]}{text[command.end() :]}"
    return re.sub(rf"\A\s*@{re.escape(name)}\b[\s,:]*", "", text, count=1, flags=re.IGNORECASE) or text


def _conversation(message: Message, sender: User) -> str:
    """Alone with the bot, a person is the conversation. In groups it is the chain of replies, where Telegram names it:
    in a supergroup each reply says which message began its chain (`message_thread_id`), so whoever replies to the bot's
    answer, be it somebody else, goes on with the ticket. In a topic that number is the topic's, and in a small group
    there is none: a reply tells only what stands right before it. There each member has one running conversation of
    their own, and one's questions never run into another's ticket.
    """
    chat = message.chat
    if chat.personal:
        return str(sender.id)
    if chat.type == "supergroup" and not message.is_topic_message:
        # Where topics were switched off again, messages that reply to nothing have the number of their old topic.
        root = message.message_thread_id if message.reply_to_message is not None else None
        return f"{chat.id}:{root or message.message_id}"
    topic = f":{message.message_thread_id}" if message.is_topic_message and message.message_thread_id else ""
    return f"{chat.id}{topic}:{sender.id}"


def _route(message: Message, sender: User) -> dict[str, JsonValue]:
    route: dict[str, JsonValue] = {"chat_id": message.chat.id}
    if not message.chat.personal:
        route[CONVERSATION] = _conversation(message, sender)
    if message.is_topic_message and message.message_thread_id:
        # Outside topics the number names a chain of replies, and Telegram refuses it as a place to send to.
        route["message_thread_id"] = message.message_thread_id
    return route


def _refs(message: Message) -> tuple[str, ...]:
    answered = message.reply_to_message
    if answered is None or (message.is_topic_message and answered.message_id == message.message_thread_id):
        return ()  # in a topic, what replies to nothing replies to the message that made the topic
    return (message_id(answered.chat.id, answered.message_id),)


def _quoted(message: Message, settings: TelegramSettings) -> str | None:
    """The words that are replied to: those that were picked, else all, unless they are the bot's own and known."""
    if message.quote is not None:
        return message.quote.text or None
    answered = message.reply_to_message
    if answered is None or not _refs(message):
        return None
    if answered.sender is not None and answered.sender.id in (settings.bot_id, message.sender and message.sender.id):
        return None
    return content_of(answered).text or None


def _automation(started: tuple[User, Chat, str | None] | None) -> Automation:
    """Pressing Start asks nothing, so nothing is to be answered. A link's payload (an order, say) is worth a ticket, in
    which the question that follows is understood; a bare Start is not."""
    if started is None:
        return Automation.NONE
    return Automation.BULK if started[2] else Automation.AUTO_REPLY


def _facts(message: Message, sender: User, payload: str | None) -> dict[str, JsonValue]:
    origin = message.forward_origin
    told: dict[str, JsonValue | None] = {
        "username": sender.username,
        "chat": message.chat.title if not message.chat.personal else None,
        "chat_type": message.chat.type if not message.chat.personal else None,
        "start": payload,
        "album": message.media_group_id,
        "forwarded_from": (origin.name or origin.type) if origin is not None else None,
        "own_phone": message.contact.phone_number
        if message.contact is not None and message.contact.user_id == sender.id
        else None,
        "live_location": True if message.location is not None and message.location.live_period else None,
    }
    return {key: value for key, value in told.items() if value is not None}


# --------------------------------------------------------------------------------------------------- other events


def _pressed(query: CallbackQuery, settings: TelegramSettings) -> list[Inbound]:
    place = query.message
    if place is None or query.sender.is_bot or not query.data:
        return []
    if not (place.chat.personal or (place.chat.grouped and settings.groups)):
        return []
    action, _colon, value = query.data.partition(":")
    # In groups the button tells in its value to which conversation it belongs: the message it hangs on does not.
    conversation = str(query.sender.id) if place.chat.personal else value
    if not place.chat.personal and not value.startswith(f"{place.chat.id}:"):
        return []  # a client may send any data it likes: not about another chat
    return [
        ActionTaken(
            external_id=f"callback:{query.id}",
            conversation=conversation or None,
            sender=_address(query.sender),
            action=action,
            value=value or None,
        )
    ]


def _reactions(update: Update, changed: ReactionUpdated, settings: TelegramSettings) -> list[Inbound]:
    user = changed.user
    if user is None or user.is_bot or not (changed.chat.personal or (changed.chat.grouped and settings.groups)):
        return []
    before, now = ([one.shown for one in some] for some in (changed.old_reaction, changed.new_reaction))
    told = [(one, False) for one in before if one not in now] + [(one, True) for one in now if one not in before]
    target = message_id(changed.chat.id, changed.message_id)
    return [
        ReactionChanged(
            external_id=f"reaction:{update.update_id}:{index}",
            conversation=str(user.id) if changed.chat.personal else target,
            provider_time=moment(changed.date),
            message_id=target,
            sender=_address(user),
            reaction=reaction,
            added=added,
        )
        for index, (reaction, added) in enumerate(told)
    ]


def _member(update: Update, changed: MemberUpdated) -> list[Inbound]:
    """A person who blocks the bot has made it no member of their private chat. That it left a group concerns nobody."""
    before, now = (one.status in _GONE for one in (changed.old_chat_member, changed.new_chat_member))
    if not changed.chat.personal or before is now or changed.sender.is_bot:
        return []
    return [
        PeerChanged(
            external_id=f"member:{update.update_id}",
            conversation=str(changed.sender.id),
            provider_time=moment(changed.date),
            peer=_address(changed.sender),
            change=PeerChange.BLOCKED if now else PeerChange.UNBLOCKED,
        )
    ]


# ---------------------------------------------------------------------------------------------------------- parts


def _address(user: User) -> Address:
    return Address(kind=KIND, value=str(user.id), name=user.name or None, trust=Trust.PROVIDER)


def _bot_name(raw: RawInbound) -> str | None:
    told = raw.transport.get(BOT)
    url = raw.transport.get("url")
    if not isinstance(told, str) and isinstance(url, str):
        try:
            told = parse_qs(urlsplit(url).query, max_num_fields=10).get(BOT, [""])[0]
        except ValueError:
            return None
    return told if isinstance(told, str) and _NAME.fullmatch(told) else None
