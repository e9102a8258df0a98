"""Clients of the shape of openai's and anthropic's, over httpx, without their packages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
from support.fake_provider import SECRET


class ApiError(Exception):
    """An error answer, as the packages raise it."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"Error code: {response.status_code}")
        self.response = response
        self.request = response.request
        self.status_code = response.status_code


class ConnectionFailed(Exception):
    """No answer, as the packages raise it."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__("Connection error.")
        self.request = request


class _Stream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._events = self._read()

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            buffer = ""
            for chunk in self.response.iter_bytes():
                buffer += chunk.decode()
                while "\n\n" in buffer:
                    event, buffer = buffer.split("\n\n", 1)
                    data = event.rpartition("data: ")[2]
                    if data == "[DONE]":
                        return
                    yield json.loads(data)
        finally:
            self.response.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._events

    def close(self) -> None:
        self.response.close()


class _AsyncStream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        buffer = ""
        try:
            async for chunk in self.response.aiter_bytes():
                buffer += chunk.decode()
                while "\n\n" in buffer:
                    event, buffer = buffer.split("\n\n", 1)
                    data = event.rpartition("data: ")[2]
                    if data == "[DONE]":
                        return
                    yield json.loads(data)
        finally:
            await self.response.aclose()

    async def close(self) -> None:
        await self.response.aclose()


class _Raw:
    def __init__(self, response: httpx.Response, parse: Any) -> None:
        self.http_response = response
        self._parse = parse

    def parse(self) -> Any:
        return self._parse(self.http_response)


def _parsed(response: httpx.Response) -> Any:
    return response.json()


def _request(http: Any, path: str, request: dict[str, Any]) -> httpx.Request:
    headers = {"Authorization": f"Bearer {SECRET}", "x-api-key": SECRET}
    request = {name: value for name, value in request.items() if not name.startswith("extra_")}
    made: httpx.Request = http.build_request("POST", path, json=request, headers=headers)
    return made


class Resource:
    """``client.chat.completions`` and its like."""

    def __init__(self, http: httpx.Client, path: str) -> None:
        self._http = http
        self._path = path
        self.with_raw_response = SimpleNamespace(create=self._raw)

    def _raw(self, **request: Any) -> _Raw:
        made = _request(self._http, self._path, request)
        streams = request.get("stream") is True
        try:
            response = self._http.send(made, stream=streams)
        except httpx.TransportError as error:
            raise ConnectionFailed(made) from error
        if response.status_code >= 400:
            response.read()
            raise ApiError(response)
        return _Raw(response, _Stream if streams else _parsed)

    def create(self, **request: Any) -> Any:
        return self._raw(**request).parse()


class AsyncResource:
    """The same, asynchronous."""

    def __init__(self, http: httpx.AsyncClient, path: str) -> None:
        self._http = http
        self._path = path
        self.with_raw_response = SimpleNamespace(create=self._raw)

    async def _raw(self, **request: Any) -> _Raw:
        made = _request(self._http, self._path, request)
        streams = request.get("stream") is True
        response = await self._http.send(made, stream=streams)
        if response.status_code >= 400:
            await response.aread()
            raise ApiError(response)
        return _Raw(response, _AsyncStream if streams else _parsed)


def twin(url: str, transport: httpx.BaseTransport | None = None) -> Any:
    """A client of both shapes at once."""
    http = httpx.Client(base_url=url, trust_env=False, transport=transport)
    return SimpleNamespace(
        chat=SimpleNamespace(completions=Resource(http, "/v1/chat/completions")),
        responses=Resource(http, "/v1/responses"),
        messages=Resource(http, "/v1/messages"),
        close=http.close,
    )


def async_twin(url: str) -> Any:
    """The same, asynchronous."""
    http = httpx.AsyncClient(base_url=url, trust_env=False)
    return SimpleNamespace(
        chat=SimpleNamespace(completions=AsyncResource(http, "/v1/chat/completions")),
        responses=AsyncResource(http, "/v1/responses"),
        messages=AsyncResource(http, "/v1/messages"),
        close=http.aclose,
    )
