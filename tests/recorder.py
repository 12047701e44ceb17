"""Every service a receiver may speak to, on one loopback port: HTTP in the open, HTTPS through a proxy, and mail.

The HTTP side answers each path as the real service would and keeps what it was sent. Asked to `CONNECT`, as a proxy
is, it plays the server at the other end as well, so that services whose address cannot be configured are heard too;
clients must be told not to verify its certificate. The mail side speaks enough SMTP to be sent a message.
"""

import base64
import hmac
import json
import socketserver
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request:
    """One request as it came: `path` with query, header names in lower case, `body` as text."""

    def __init__(self, method, host, path, headers, body):
        self.method, self.host, self.path, self.headers, self.body = method, host, path, headers, body

    def __repr__(self):
        return f"{self.method} {self.host}{self.path}\n{self.headers}\n{self.body}"


SNS_ANSWER = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>2</RequestId></ResponseMetadata></PublishResponse>"""


def answer(request):
    """(status, content type, body) of the service behind a path or host."""
    path, host = request.path.partition("?")[0], request.host
    if host == "slack.com" or path.startswith("/slack-app"):
        return 200, "application/json", b'{"ok":true,"ts":"111.222","channel":"C1"}'
    if path.startswith("/slack"):
        return 200, "text/plain", b"ok"
    if "/bot" in path:
        return 200, "application/json", b'{"ok":true,"result":{"message_id":1,"chat":{"id":5}}}'
    if path.endswith("/gettoken"):
        return 200, "application/json", b'{"access_token":"granted"}'
    if path.endswith("/message/send"):
        return 200, "application/json", b'{"errcode":0,"errmsg":"ok"}'
    if path.endswith("/chat.postMessage"):
        return 200, "application/json", b'{"success":true}'
    if path.startswith("/sns"):
        return 200, "text/xml", SNS_ANSWER
    if "/search" in path:
        # The first issue is in work, the second is done, of the third there is none.
        jql = json.loads(request.body)["jql"]
        issue = lambda category: {"key": "OPS-7", "fields": {"status": {"name": "x", "statusCategory": {"key": category}}}}
        found = [issue("indeterminate")] if "OPEN" in jql else [issue("done")] if "DONE" in jql else []
        return 200, "application/json", json.dumps({"issues": found}).encode()
    if path.endswith("/transitions") and request.method == "GET":
        return 200, "application/json", b'{"transitions":[{"id":"11","name":"Reopen"},{"id":"12","name":"Done"}]}'
    if path.endswith("/transitions") or "/issue/" in path:
        return 204, "application/json", b""
    return 202 if "opsgenie" in path else 200, "application/json", b"{}"


class Recorder:
    """The HTTP side. `requests` grows; `problems` holds what went wrong while listening."""

    def __init__(self, directory):
        self.requests, self.answer = [], answer
        key, certificate = directory / "recorder.key", directory / "recorder.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            connected_to = ""

            def do_CONNECT(self):
                self.connected_to = self.path.partition(":")[0]
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.connection = tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                self.close_connection = False

            def _take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.connected_to, self.path, headers, body)
                status, kind, body = outer.answer(request)
                outer.requests.append(request)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = _take

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except (ConnectionError, ssl.SSLError):
                    # A client that hung up, or that would not speak TLS with us.
                    pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Mailbox:
    """The mail side: `sessions` holds, for each message, the commands and the message as it was sent."""

    USER, SECRET = "mona", "s3cret"

    def __init__(self, mechanisms="CRAM-MD5 PLAIN LOGIN"):
        self.sessions = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line):
                self.wfile.write(line.encode() + b"\r\n")

            def hear(self):
                return self.rfile.readline(10_000).decode("utf-8", "replace").rstrip("\r\n")

            def handle(self):
                commands = []
                self.say("220 recorder ESMTP")
                while line := self.hear():
                    verb = line.split(" ")[0].upper()
                    commands.append(line)
                    if verb == "EHLO":
                        self.say("250-recorder")
                        self.say(f"250 AUTH {mechanisms}")
                    elif verb == "AUTH":
                        commands[-1] = self.authenticate(line)
                    elif verb == "DATA":
                        self.say("354 go on")
                        message = []
                        while (row := self.hear()) != ".":
                            message.append(row)
                        self.say("250 kept")
                        outer.sessions.append((commands[:], "\r\n".join(message)))
                    else:
                        self.say("221 bye" if verb == "QUIT" else "250 ok")
                        if verb == "QUIT":
                            return

            def authenticate(self, line):
                decode = lambda text: base64.b64decode(text).decode()
                mechanism = line.split(" ")[1].upper()
                if mechanism == "CRAM-MD5":
                    challenge = b"<1.2@recorder>"
                    self.say("334 " + base64.b64encode(challenge).decode())
                    user, _, digest = decode(self.hear()).partition(" ")
                    right = hmac.new(outer.SECRET.encode(), challenge, "md5").hexdigest() == digest
                elif mechanism == "PLAIN":
                    _, user, password = decode(line.split(" ")[2]).split("\0")
                    right = password == outer.SECRET
                else:
                    self.say("334 " + base64.b64encode(b"Username:").decode())
                    user = decode(self.hear())
                    self.say("334 " + base64.b64encode(b"Password:").decode())
                    right = decode(self.hear()) == outer.SECRET
                self.say("235 welcome" if right and user == outer.USER else "535 no")
                return f"AUTH {mechanism} {'right' if right else 'wrong'}"

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
