"""Google's own generateContent, as an upstream."""

from __future__ import annotations

import re
from urllib.parse import quote

from providers.call import Dialect, Hints, StraightLine, Translated, UpstreamRequest
from providers.chat.effort import shown
from providers.chat.request import ChatRequest
from providers.dialects.gemini import write_request
from providers.dialects.gemini.read_reply import GeminiReader
from providers.headers import own_headers
from providers.json_object import encode
from providers.spec import ProviderConfig

_VERSION = re.compile(r"/v\d+(?:alpha|beta)?\d*(?:/|$)")
_FOLDERS = ("models", "tunedModels")  # what a model's full name begins with


class GeminiDialect:
    """See ``providers.call.Dialect``."""

    name = "gemini"
    straight: StraightLine | None = None

    def write_request(self, request: ChatRequest, config: ProviderConfig, key: str, hints: Hints) -> Translated:
        quirks = config.quirks.of(request.model.rpartition("/")[2])
        written = write_request.write(request, quirks, config)
        headers = own_headers(config, key, "text/event-stream")
        sent = UpstreamRequest(url(config.base_url, request.model), headers, encode(written.body), config.timeouts)
        hidden = request.reasoning.mode == "off"
        signs = shown(request.reasoning)
        reader = GeminiReader(hints.token, config.id, hints.estimate, written.names, hidden, signs)
        return Translated(sent, reader, written.lost, written.names)


def url(base: str, model: str) -> str:
    """Where the model streams: under the base, in ``/v1beta`` where that names no version of the API."""
    root = base.rstrip("/").removesuffix("/openai")  # Google's other face
    version = "" if _VERSION.search(root) else "/v1beta"
    folder, _, name = model.partition("/")
    folder, name = (folder, name) if folder in _FOLDERS and name else ("models", model)
    return f"{root}{version}/{folder}/{quote(name, safe='')}:streamGenerateContent?alt=sse"


DIALECT: Dialect = GeminiDialect()
