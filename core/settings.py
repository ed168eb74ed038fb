"""Everything an operator can set, read once from the environment.

Names are `AUTOCRM_<FIELD>`, except the two that every host already knows:
`DATABASE_URL` and `REDIS_URL`. Unset, both servers are started from wheels.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Mode(StrEnum):
    DEMO = "demo"
    """Seeds a help centre and runs fake providers with the lab."""
    PRODUCTION = "production"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AUTOCRM_", extra="ignore", frozen=True)

    mode: Mode = Field(
        Mode.DEMO, description="`demo` seeds a help centre and opens the lab; `production` refuses both."
    )
    data: Path = Field(Path("data"), description="Folder for the embedded servers, attachments and keys.")
    host: str = Field("127.0.0.1", description="Address on which the web server listens.")
    port: int = Field(8000, ge=0, le=65535, description="Port of inbox, API, widget and webhooks.")
    smtp_host: str = Field("127.0.0.1", description="Address on which the mail receiver listens.")
    smtp_port: int = Field(2525, ge=0, le=65535, description="Port of the mail receiver.")
    smtp_hostname: str = Field("localhost", description="Name the mail receiver greets with.")
    smtp_cert: Path | None = Field(
        None,
        description="PEM chain with which the mail receiver offers STARTTLS; unset: it does not. Renewed files are noticed.",
    )
    smtp_key: Path | None = Field(None, description="Private key of that chain; unset: it stands in the same file.")
    lmtp_host: str = Field("127.0.0.1", description="Address on which mail servers nearby hand over by LMTP.")
    lmtp_port: int = Field(0, ge=0, le=65535, description="Port of the same; 0: no LMTP by network.")
    lmtp_socket: Path | None = Field(None, description="Unix socket on which LMTP is spoken; unset: none.")
    public_url: str = Field("", description="Address under which the outside reaches us; default http://HOST:PORT.")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "AUTOCRM_DATABASE_URL"),
        description="PostgreSQL >= 18 with pgvector >= 0.8; unset: the embedded one.",
    )
    redis_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL", "AUTOCRM_REDIS_URL"),
        description="Valkey or Redis; unset: the embedded one.",
    )
    redis_namespace: str = Field("autocrm", description="Prefix of every key in Redis.")
    database_pool: int = Field(16, ge=2, le=200, description="Most database connections of one process.")
    master_key: SecretStr | None = Field(
        None, description="Base64 of 32 bytes that seal the secrets; unset: made once in DATA/keys."
    )
    company: str = Field("Fernweh & Field", description="Company name shown to customers.")
    bot_name: str = Field("Robin", description="Name under which the AI answers.")
    default_language: str = Field("en", description="Language where nothing is known of the customer's.")

    office_hours: str = Field(
        "", description="When people can be reached, such as `mon-fri 09:00-17:00; sat 10:00-14:00`; unset: always."
    )
    office_zone: str = Field("UTC", description="Time zone of the office hours, such as `Europe/Berlin`.")

    ai_base_url: str | None = Field(None, description="OpenAI-compatible endpoint; unset: answers are extractive.")
    ai_api_key: SecretStr | None = Field(None, description="Key for that endpoint.")
    ai_model: str = Field("gpt-5-mini", description="Model asked at that endpoint.")
    ai_timeout: float = Field(20.0, gt=0, description="Seconds the model has for a whole answer.")
    ai_quiet: float = Field(1.2, ge=0, description="Seconds of quiet on chat-like channels before the AI answers.")
    ai_send_threshold: float = Field(
        0.45, ge=0, le=1, description="Confidence from which an answer goes out by itself."
    )

    speech_model: str = Field(
        "base",
        description="Whisper model: `base` (the packaged one), a folder, a name of the model hub, or `off`.",
    )
    speech_threads: int = Field(2, ge=1, le=64, description="Threads that listen to speech.")
    speech_deadline: float = Field(
        120.0, gt=0, description="Seconds after which a spoken message goes to a person, heard or not."
    )

    job_lease: float = Field(6.0, gt=0, description="Seconds after which a job of a dead worker is taken over.")
    sweep_every: float = Field(0.5, gt=0, description="Seconds between two looks for jobs that nobody was woken for.")
    worker_threads: int = Field(8, ge=1, le=64, description="Dramatiq threads of one worker process.")
    raw_inline_max: int = Field(256 * 1024, description="Bytes up to which a raw message lives in its row.")
    message_bytes_max: int = Field(25 * 1024 * 1024, description="Largest message accepted on any channel.")
    inflight_bytes_max: int = Field(200 * 1024 * 1024, description="Mail held in memory at once by the receiver.")
    session_hours: int = Field(24 * 14, ge=1, description="Hours after which a user has to sign in again.")
    failpoints: str = Field(
        "", description="Test aid: `name=kill|raise|sleep:<s>` pairs, comma separated. Demo mode only."
    )
    log_level: str = Field("INFO", description="Log level of our own loggers.")

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("office_hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        from core.hours import parse_hours

        parse_hours(value)
        return value

    @field_validator("office_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"there is no time zone called {value!r}")
        return value

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def demo(self) -> bool:
        return self.mode is Mode.DEMO


@lru_cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()
