"""The other end of the wire: something to scrape, and the places where notifications arrive."""

import email
import email.policy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import SkipTest


class _Server:
    """A small HTTP server on a free port, in a thread of its own."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._answer(*outer.on_get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._answer(*outer.on_post(self.path, dict(self.headers), body))

            def _answer(self, status, content_type, body):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except ConnectionError:
                    # A client that was killed.
                    pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def on_get(self, path):
        return 404, "text/plain", b"not found\n"

    def on_post(self, path, headers, body):
        return 404, "text/plain", b"not found\n"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Target(_Server):
    """Something to scrape; `page` returns the exposition."""

    def __init__(self, page, content_type="text/plain; version=0.0.4"):
        self.page = page
        self.content_type = content_type
        super().__init__()

    def on_get(self, path):
        return 200, self.content_type, self.page().encode()


class HttpSink(_Server):
    """Takes JSON posts, as Slack and webhook receivers do, and keeps them as (path, body)."""

    def __init__(self):
        self.posts = []
        super().__init__()

    def on_post(self, path, headers, body):
        self.posts.append((path, json.loads(body)))
        return 200, "text/plain", b"ok"

    def at(self, path):
        return [body for p, body in list(self.posts) if p == path]


class MailSink:
    """Takes mail by SMTP and keeps it, parsed."""

    def __init__(self):
        try:
            from aiosmtpd.controller import Controller
        except ImportError:
            raise SkipTest("aiosmtpd is not installed") from None
        self.mails = []
        sink = self

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
                sink.mails.append((envelope.rcpt_tos, mail))
                return "250 OK"

        class FreePort(Controller):
            # Connects to the port it was given, which for port 0 is nobody's: the real one is learned first.
            def _trigger_server(self):
                self.port = self.server.sockets[0].getsockname()[1]
                super()._trigger_server()

        self.controller = FreePort(Handler(), hostname="127.0.0.1", port=0)
        self.controller.start()
        self.address = f"127.0.0.1:{self.controller.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.controller.stop()
