"""Write a run's model replies to a file that `replay:FILE` can answer from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deskmate.models.replay import FORMAT, shape_of
from deskmate.ports import Model, ModelReply, ModelRequest, Windowed
from deskmate.types.codec import to_json


class RecordingModel:
    """Passes everything on to another model and appends each reply to a file, one JSON line each."""

    def __init__(self, model: Model, path: Path) -> None:
        self._model = model
        self._path = path

    @property
    def name(self) -> str:
        """The other model's name."""
        return self._model.name

    @property
    def context_tokens(self) -> int | None:
        """The other model's window."""
        return self._model.context_tokens if isinstance(self._model, Windowed) else None

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the other model's reply, recorded. Raises what it raises, and OSError."""
        reply = await self._model.reply(request, on_text)
        line = {"format": FORMAT, "shape": shape_of(request.messages), "reply": to_json(reply)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")
        label = f"{reply.label}, recorded" if reply.label else "recorded"
        return replace(reply, label=label)

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Return the other model's estimate."""
        return self._model.estimate_cost_usd(request)
