"""A mail server that does as it is told, one thread for each connection, and remembers by which connection each message came."""

import base64
import datetime
import socket
import ssl
import threading
import time


def authority(path):
    """A certificate authority of one's own in `path`, as ca.pem; a function that makes (certificate, key) for a host's names."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys

    now = datetime.datetime.now(datetime.timezone.utc)

    def build(subject, issuer, public, signer, extension):
        name = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in (subject, issuer)]
        return x509.CertificateBuilder(name[1], name[0], public, x509.random_serial_number()).not_valid_before(
            now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1)).add_extension(
            extension, False).sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key = ec.generate_private_key(ec.SECP256R1())
    (path / "ca.pem").write_bytes(build("test ca", "test ca", ca_key.public_key(), ca_key, x509.BasicConstraints(True, None)))

    def issue(*names, rsa=False):
        key = rsa_keys.generate_private_key(65537, 2048) if rsa else ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = path / f"{names[0]}.pem", path / f"{names[0]}.key"
        certificate.write_bytes(build(names[0], "test ca", key.public_key(), ca_key,
                                      x509.SubjectAlternativeName([x509.DNSName(n) for n in names])))
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return certificate, key_file

    return issue


def trusting(relay, path):
    """Started with that authority."""
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{path}/ca.pem"  ', 1))
    return relay.start()


class Connection:
    def __init__(self, peer=None):
        self.peer = peer  # its address
        self.tls, self.user, self.lines, self.messages = False, None, [], []
        self.resumed = False  # its TLS session
        self.began, self.named = False, []  # of the message under way: MAIL was accepted, recipients


class Message:
    def __init__(self, connection, sender, recipients, data):
        self.connection, self.sender, self.recipients, self.data = connection, sender, recipients, data
        self.tls, self.user, self.at = connection.tls, connection.user, time.monotonic()


class MailHost:
    """`answer(line, connection)`: the reply to a line, None for the usual one, "HANG UP" to close; `.` is the end of data.

    With `context` it offers STARTTLS; with `users` (name -> password) AUTH PLAIN; `delay`: seconds before each end of data."""

    def __init__(self, port, answer=None, context=None, users=None, host="127.0.0.1", delay=0.0):
        self.answer, self.context, self.users, self.delay = answer or (lambda line, connection: None), context, users, delay
        self.connections, self.messages = [], []
        self.socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, address = self.socket.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each burst waits for an ACK
            connection = Connection(address[0])
            self.connections.append(connection)
            threading.Thread(target=self.talk, args=(client, connection), daemon=True).start()

    def talk(self, client, connection):
        try:
            self.serve(client, connection)
        except (OSError, ssl.SSLError):
            pass
        finally:
            client.close()

    def hello(self, connection):
        offers = ["mailhost", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]
        offers += ["STARTTLS"] if self.context and not connection.tls else []
        offers += ["AUTH PLAIN"] if self.users is not None else []
        return "\r\n".join(f"250-{o}" for o in offers[:-1]) + f"\r\n250 {offers[-1]}"

    def login(self, line, connection):
        _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
        if self.users.get(user) != password:
            return "535 5.7.8 Authentication credentials invalid"
        connection.user = user
        return "235 2.7.0 welcome"

    def usual(self, line, connection):
        word = line.upper()
        if word.startswith("EHLO"):
            return self.hello(connection)
        if word.startswith("AUTH PLAIN"):
            return self.login(line, connection)
        if word.startswith("RCPT") and not connection.began:
            return "503 5.5.1 MAIL first"
        if word == "DATA" and not connection.named:
            return "554 5.5.1 No valid recipients"
        return {"DATA": "354 go", "QUIT": "221 bye", "STARTTLS": "220 go"}.get(word, "250 2.0.0 ok")

    def serve(self, client, connection):
        stream, sender = client.makefile("rwb"), ""

        def say(line):
            reply = self.answer(line, connection) or self.usual(line, connection)
            if reply == "HANG UP":
                raise ConnectionAbortedError
            stream.write(reply.encode() + b"\r\n")
            stream.flush()
            return reply

        greeting = self.answer("", connection) or "220 mailhost ESMTP"
        stream.write(greeting.encode() + b"\r\n")
        stream.flush()
        while line := stream.readline().decode("utf-8", "replace").rstrip("\r\n"):
            connection.lines.append(line)
            reply = say(line)
            if line == "STARTTLS" and reply.startswith("220"):
                client = self.context.wrap_socket(client, server_side=True)
                stream, connection.tls, connection.resumed = client.makefile("rwb"), True, client.session_reused
            elif line.startswith("MAIL FROM:"):
                sender, connection.began, connection.named = line[10:].split(">")[0].lstrip("<"), reply.startswith("2"), []
            elif line.startswith("RCPT TO:") and reply.startswith("2"):
                connection.named.append(line[8:].split(">")[0].lstrip("<"))
            elif line == "DATA" and reply.startswith("354"):
                self.take(stream, say, Message(connection, sender, connection.named, b""))
            elif line == "QUIT":
                return

    def take(self, stream, say, message):
        data = bytearray()
        while not data.endswith(b"\r\n.\r\n"):
            piece = stream.readline()
            if not piece:
                raise ConnectionAbortedError
            data += piece
        message.data = bytes(data)
        time.sleep(self.delay)
        if say(".").startswith("2"):
            message.connection.messages.append(message)
            self.messages.append(message)

    def reached(self, recipient):
        return [m for m in self.messages if recipient in m.recipients]

    def stop(self):
        self.socket.close()
