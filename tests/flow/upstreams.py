"""An upstream whose every byte a test decides: for answers that no well-meant server gives."""

import json
import socket
import ssl
import struct
import threading

from processes import PATIENCE, is_asked


class Received:
    """A request as it came in: the bytes of its head and its body, and which connection it came on."""

    def __init__(self, connection, head, body):
        self.connection = connection
        self.line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = self.line.split(" ")
        self.fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.body = body

    def field(self, name):
        return next((value for known, value in self.fields if known == name), None)


def describe(received):
    """What an API would answer to the requests with which a gate learns what a change is about: a registry on which nothing hangs."""
    path = received.target.partition("?")[0]
    identity = path.removesuffix("/settings").rpartition("/")[2]
    if path.endswith("/targets"):
        data = []
    elif path.endswith("/settings"):
        data = {"type": "integration_settings", "id": identity, "attributes": {"container_app_scan_enabled": True}}
    else:
        data = {"type": "integration", "id": identity,
                "attributes": {"integration_type": "ecr", "profile_name": "images", "has_broker": False}}
    return answer(body=json.dumps({"jsonapi": {"version": "1.0"}, "data": data, "meta": {"count": 0}, "links": {}}).encode())


class ScriptedUpstream:
    """Calls script(socket, received) for each request; the script sends what it likes and returns True to go on with the connection,
    anything else to have it closed. What a gate asks before a change is answered as by an API that is well, and stands in `asked`; with
    `scripted_asked` the script answers that, too."""

    def __init__(self, script, certificate=None, at=("127.0.0.1", 0), scripted_asked=False):
        self.script = script
        self.scripted_asked = scripted_asked
        self.received = []
        self.asked = []
        self.connections = 0
        self.resumed = []  # TLS: for each connection, whether its session was an old one
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate.file, certificate.key_file)
        self.listener = socket.create_server(at, backlog=64)
        self.port = self.listener.getsockname()[1]
        self.threads = []
        self._run(self._accept)

    @property
    def url(self):
        return f"https://localhost:{self.port}" if self.context else f"http://127.0.0.1:{self.port}"

    def _run(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._run(self._serve, connection, self.connections)

    def _serve(self, connection, number):
        try:
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.resumed.append(connection.session_reused)
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                received = Received(number, head, b"")
                length = int(received.field("content-length") or 0)
                while len(data) < length:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                received.body, data = data[:length], data[length:]
                if is_asked(received.fields) and not self.scripted_asked:
                    self.asked.append(received)
                    connection.sendall(describe(received))
                    continue
                self.received.append(received)
                if self.script(connection, received) is not True:
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def close(self):
        # shutdown, not close alone: the thread that accepts would sleep on.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def reset(connection):
    """Closes with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(status="200 OK", body=b'{"jsonapi":{"version":"1.0"},"data":[]}', fields=(), media_type="application/vnd.api+json", length=True):
    """An answer's bytes, well framed unless told otherwise."""
    lines = [f"HTTP/1.1 {status}"]
    if media_type:
        lines.append(f"Content-Type: {media_type}")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
