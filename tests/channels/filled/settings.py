"""What an admin enters to connect a pigeon post; the JSON schema of this model draws the form."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Settings(BaseModel):
    """One account at the pigeon post."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Carrier pigeon account")

    api_url: str = Field(title="Address", description="Of the pigeon post's API.")
    api_token: SecretStr = Field(title="API token", description="Under Account in the pigeon post's console.")
    signing_secret: SecretStr = Field(title="Signing secret", description="Beside the webhook in the console.")
