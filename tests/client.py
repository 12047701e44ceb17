"""A plain HTTP client: one request, one reply, whatever the status."""

import http.client
import json as jsonlib
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        try:
            return jsonlib.loads(self.body)
        except ValueError as e:
            raise AssertionError(f"not JSON ({e}): {self.text[:500]!r}") from None

    def expect(self, status=200):
        assert self.status == status, f"status {self.status}, expected {status}: {self.text[:500]!r}"
        return self


def request(method, url, body=None, headers=None, params=None, json=None, form=None, timeout=10.0):
    """`params` go into the URL, `json` or `form` into the body. Header names in the reply are lower case."""
    parts = urlsplit(url)
    target = parts.path or "/"
    query = parts.query
    if params:
        query = "&".join(filter(None, [query, urlencode(params, doseq=True)]))
    if query:
        target += "?" + query
    headers = dict(headers or {})
    if json is not None:
        body = jsonlib.dumps(json).encode()
        headers.setdefault("Content-Type", "application/json")
    if form is not None:
        body = urlencode(form, doseq=True).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    if isinstance(body, str):
        body = body.encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        try:
            connection.request(method, target, body=body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            # A server may refuse a body before it has read all of it; its reply is still there to read.
            if connection.sock is None:
                raise
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    except http.client.HTTPException as e:
        # A peer that hung up is a connection problem like any other.
        raise ConnectionError(f"{type(e).__name__}: {e}") from e
    finally:
        connection.close()


def get(url, **more):
    return request("GET", url, **more)


def post(url, body=None, **more):
    return request("POST", url, body, **more)
