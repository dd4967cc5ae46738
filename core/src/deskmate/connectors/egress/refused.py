"""Hosts that are never reached from a guest, whatever a policy says: anybody may bring an account there."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate.types.network import READING

MODEL_HOSTS = (
    *(
        "anthropic.com",
        "claude.ai",
        "claude.com",
        "openai.com",
        "chatgpt.com",
        "oaiusercontent.com",
    ),
    *("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    *("generativelanguage.googleapis.com", "aiplatform.googleapis.com", "gemini.google.com"),
    *("mistral.ai", "cohere.com", "cohere.ai", "groq.com", "x.ai", "deepseek.com", "perplexity.ai"),
    *("together.ai", "together.xyz", "fireworks.ai", "openrouter.ai", "replicate.com", "ai21.com"),
    *("cerebras.ai", "sambanova.ai", "moonshot.cn", "moonshot.ai", "dashscope.aliyuncs.com"),
)
"""Servers of models: with an attacker's own key each of them is a place to send files to."""
DROP_HOSTS = (
    *("webhook.site", "requestbin.com", "requestcatcher.com", "pipedream.net", "beeceptor.com"),
    *("interact.sh", "oast.fun", "oast.live", "oast.me", "oast.online", "oast.pro", "oast.site"),
    *("burpcollaborator.net", "oastify.com", "dnslog.cn", "hookbin.com", "postb.in", "mockbin.org"),
    *(
        "pastebin.com",
        "paste.ee",
        "dpaste.com",
        "dpaste.org",
        "hastebin.com",
        "ix.io",
        "sprunge.us",
    ),
    *(
        "transfer.sh",
        "file.io",
        "0x0.st",
        "catbox.moe",
        "gofile.io",
        "anonfiles.com",
        "bashupload.com",
    ),
    *("temp.sh", "tmpfiles.org", "wetransfer.com", "sendspace.com", "mediafire.com", "termbin.com"),
    *("ngrok.io", "ngrok.app", "ngrok-free.app", "ngrok.dev", "trycloudflare.com", "loca.lt"),
    *(
        "serveo.net",
        "localhost.run",
        "discord.com",
        "discordapp.com",
        "api.telegram.org",
        "ntfy.sh",
    ),
)
"""Places made for taking in what anybody sends, and tunnels to anybody's machine."""
SHARED_STORES = (
    *("amazonaws.com", "blob.core.windows.net", "storage.googleapis.com", "firebaseio.com"),
    *("r2.cloudflarestorage.com", "digitaloceanspaces.com", "backblazeb2.com", "wasabisys.com"),
    *("workers.dev", "herokuapp.com", "vercel.app", "netlify.app", "pages.dev", "web.app"),
    *("script.google.com", "docs.google.com", "forms.gle", "gist.github.com", "hooks.slack.com"),
)
"""Hosts with everybody's accounts under one name: there a guest may read at most."""


def why_refused(host: str, methods: Iterable[str], models: Iterable[str] = ()) -> str:
    """Return why a host is never reached with one of these methods, empty if nothing is against it.

    `models`: further hosts that models are reached at, by the user's settings.
    """
    if _below(host, (*MODEL_HOSTS, *models)):
        return f"{host} serves models: anybody's key works there, so nothing may be sent to it from a VM"
    if _below(host, DROP_HOSTS):
        return f"{host} takes in what anybody sends, so it is never reached from a VM"
    if _below(host, SHARED_STORES) and any(method not in READING for method in methods):
        return f"{host} holds everybody's accounts under one name, so a VM may only read there"
    return ""


def _below(host: str, names: Iterable[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)
