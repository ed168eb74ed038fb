"""Any endpoint that speaks OpenAI's chat completions: OpenAI, Azure, Ollama, vLLM, llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from core.settings import settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class ModelFailed(Exception):
    """No whole answer came. `code` says why: `timeout`, `unreachable`, `busy`, `refused`, `rejected`, `cut`, `empty`, `garbage`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Say:
    """One message to a model."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


class ChatModel(Protocol):
    """Writes the next message of a conversation."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Say], *, tokens: int) -> AsyncIterator[str]:
        """The answer's pieces. Ends normally only when the whole answer has come; raises `ModelFailed`."""


class OpenAICompatible:
    """A model behind an OpenAI-compatible endpoint. The client is made with the first question and kept."""

    def __init__(self, *, base_url: str, api_key: str | None, model: str, timeout: float) -> None:
        """`timeout` is in seconds, for a whole answer."""
        self.name = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._client: AsyncOpenAI | None = None
        self._limit_name = "max_completion_tokens"

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            self._client = AsyncOpenAI(
                base_url=self._base_url,
                # Local servers need no key, and the client insists on one.
                api_key=self._api_key or "none",
                timeout=self._timeout,
                max_retries=1,
            )
        return self._client

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def stream(self, messages: Sequence[Say], *, tokens: int) -> AsyncIterator[str]:
        async with _failures("unreachable"), asyncio.timeout(self._timeout):
            response = await self._create(messages, tokens)
            finish: str | None = None
            async with _failures("cut"), response:
                async for chunk in response:
                    for choice in chunk.choices[:1]:
                        if choice.delta.refusal:
                            raise ModelFailed("refused")
                        finish = choice.finish_reason or finish
                        if choice.delta.content:
                            yield choice.delta.content
            if finish == "content_filter":
                raise ModelFailed("refused", "content filter")
            if finish != "stop":
                raise ModelFailed("cut", f"finish_reason={finish}")

    async def _create(self, messages: Sequence[Say], tokens: int) -> Any:
        from openai import BadRequestError

        sent: Any = [{"role": say.role, "content": say.content} for say in messages]
        try:
            limit: Any = {self._limit_name: tokens}
            return await self._open().chat.completions.create(model=self.name, messages=sent, stream=True, **limit)
        except BadRequestError as error:
            # Older servers know only the older name of the limit.
            if self._limit_name not in str(error):
                raise
            self._limit_name = "max_tokens"
            return await self._open().chat.completions.create(
                model=self.name, messages=sent, stream=True, max_tokens=tokens
            )


@asynccontextmanager
async def _failures(lost: str) -> AsyncIterator[None]:
    """Whatever the client raises, as `ModelFailed`; `lost` is the code for a connection that fails."""
    import httpx2
    import openai

    try:
        yield
    except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException) as error:
        raise ModelFailed("timeout") from error
    except openai.RateLimitError as error:
        raise ModelFailed("busy") from error
    except openai.APIStatusError as error:
        raise ModelFailed("unreachable" if error.status_code >= 500 else "rejected", str(error.status_code)) from error
    except openai.APIConnectionError as error:
        raise ModelFailed(lost) from error
    except httpx2.HTTPError as error:
        raise ModelFailed(lost, type(error).__name__) from error
    except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
        raise ModelFailed("garbage", type(error).__name__) from error


_models: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], OpenAICompatible]] = WeakKeyDictionary()


def chat_model() -> OpenAICompatible | None:
    """The model that the settings name, one client per event loop; None where answers are extractive."""
    config = settings()
    if not config.ai_base_url:
        return None
    known = _models.setdefault(asyncio.get_running_loop(), {})
    key = (config.ai_base_url, config.ai_model)
    if key not in known:
        known[key] = OpenAICompatible(
            base_url=config.ai_base_url,
            api_key=config.ai_api_key.get_secret_value() if config.ai_api_key else None,
            model=config.ai_model,
            timeout=config.ai_timeout,
        )
    return known[key]
