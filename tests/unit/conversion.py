#!/usr/bin/python3
"""Random MIME trees through the conversion, read by Python's email package before and after: the same content, or an
honest refusal. Usage: conversion.py PROGRAM [SEED [COUNT]]
"""

import email
import email.header
import email.utils
import os
import random
import re
import subprocess
import sys
import time
import urllib.parse

WORDS = ["plain", "text", "Grüße", "日本語", "naïve", "=3D", "=", ".", "From", "a" * 90, "Ω" * 40, "tab\tbed", "x ", "😀", "--", "--b"]
LATIN = b"\xe4\xff\x80raw"


class Converter:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, message, piece=65536):
        head, _, body = message.partition(b"\r\n\r\n")
        head += b"\r\n"
        self.process.stdin.write(b"%d %d %d\n" % (len(head), len(body), piece) + head + body)
        self.process.stdin.flush()
        word, length = self.process.stdout.readline().split()
        return word.decode(), self.process.stdout.read(int(length))

    def end(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class Tree:
    """A message of random parts, and which of them may not be touched."""

    def __init__(self, random):
        self.random, self.count = random, 0

    def text(self, eight):
        lines = []
        for _ in range(self.random.randrange(6)):
            line = " ".join(self.random.choices(WORDS, k=self.random.randrange(9)))
            lines.append(line.encode("utf-8" if self.random.random() < 0.8 else "utf-16-le" if False else "utf-8"))
        body = b"\r\n".join(lines)
        if eight and self.random.random() < 0.2:
            body += LATIN
        body = re.sub(rb"(?m)^--", b"- -", body)
        return body if eight else body.decode().encode("ascii", "replace")

    def leaf(self, eight):
        kind = self.random.choice(["text/plain; charset=utf-8", "text/html; charset=\"utf-8\"", "application/octet-stream",
                                   "image/x-thing; name=thing", "text/plain", None, "message/global-headers"])
        fields = [f"Content-Type: {kind}"] if kind else []
        if self.random.random() < 0.5:
            fields.append("Content-Transfer-Encoding: " + self.random.choice(["8bit", "binary", "8BIT"] if eight else
                                                                            ["7bit", "8bit", "7Bit (all of it)"]))
        if eight and self.random.random() < 0.3:
            fields.append(self.random.choice(['Content-Disposition: attachment; filename="Übersicht & mehr;.pdf"; size=3',
                                              "Content-Description: für alle, =?utf-8?Q?sch=C3=B6n?= Ü",
                                              "Content-Disposition: inline; filename=" + "ü" * 60]))
        self.random.shuffle(fields)
        return fields, self.text(eight)

    def part(self, depth, eight):
        choice = self.random.random()
        if depth == 0 or choice < 0.5:
            return self.leaf(eight)
        if choice < 0.65:
            fields, body = self.part(depth - 1, eight)
            inner = ["From: a@b.test", "Subject: " + ("Grüße aus Köln" if eight else "x")] + fields
            return (["Content-Type: message/rfc822"], "\r\n".join(inner).encode() + b"\r\n\r\n" + body)
        self.count += 1
        boundary = self.random.choice(["b", "b", "=_x y", "--b"]) + str(self.count)
        subtype = self.random.choice(["mixed", "alternative", "digest", "related"])
        out = self.random.choice([b"", b"preamble\r\n"])
        for _ in range(self.random.randrange(1, 4)):
            fields, body = self.part(depth - 1, eight and self.random.random() < 0.7)
            if subtype == "digest" and not fields:
                fields = ["Content-Type: text/plain"]
            out += f"--{boundary}".encode() + self.random.choice([b"", b"  "]) + b"\r\n"
            out += "".join(f + "\r\n" for f in fields).encode() + b"\r\n" + body + b"\r\n"
        out += f"--{boundary}--".encode() + self.random.choice([b"", b"\r\n", b"\r\nepilogue\r\n"])
        fields = [f'Content-Type: multipart/{subtype};\r\n\tboundary="{boundary}"']
        if self.random.random() < 0.4:
            fields.append("Content-Transfer-Encoding: 8bit")
        return fields, out

    def message(self):
        fields, body = self.part(self.random.randrange(6), True)
        head = ["From: <hello@club.test>", "MIME-Version: 1.0"] + fields
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body + b"\r\n"


def words(value):
    """A header value as people read it."""
    text = "".join(part.decode("utf-8" if not charset or charset == "unknown-8bit" else charset, "surrogateescape")
                   if isinstance(part, bytes) else part for part, charset in email.header.decode_header(value.replace("\r\n", "")))
    return " ".join(text.split())


def raw_field(part, name):
    """As its bytes say it; Python hides raw UTF-8 from those who ask the usual way."""
    value = next((v for k, v in part.raw_items() if k.lower() == name), "").replace("\r\n", "")
    return value.encode("utf-8", "surrogateescape").decode()


def filename(part):
    value = raw_field(part, "content-disposition")
    match = re.search(r'filename="([^"]*)"|filename=([^;]*)', value)
    return match[1] or match[2] if match and not value.isascii() else part.get_filename()


def content(part):
    """What a reader makes of an entity: types, names, words, and the bytes of leaves."""
    shown = {"Grüße aus Köln": "Grüße aus Köln", "für alle, =?utf-8?Q?sch=C3=B6n?= Ü": "für alle, schön Ü"}
    said = [raw_field(part, name) for name in ("subject", "content-description")]
    about = [part.get_content_type(), filename(part), [shown.get(text) or words(text) for text in said]]
    if part.get_content_type().startswith("message/global"):
        return about  # Python reads a message where there may be an encoding
    if part.is_multipart():
        return about + [content(p) for p in part.get_payload()]
    return about + [part.get_payload(decode=True)]


def parse(raw):
    return email.message_from_bytes(raw)


def compare(before, after, what):
    assert after.isascii(), what
    assert max(map(len, after.split(b"\r\n"))) <= 998, what
    a, b = content(parse(before)), content(parse(after))
    assert a == b, f"{what}:\n{before!r}\n{after!r}\n{a!r}\n{b!r}"


def trees(convert, seed, count):
    changed = 0
    for number in range(count):
        dice = random.Random(f"{seed}/{number}")
        message = Tree(dice).message()
        what = f"seed {seed}, message {number}"
        word, out = convert(message, dice.choice([1, 2, 7, 100, 1023, 1024, 1025, 65536]))
        assert word in ("converted", "same"), f"{what}: {word}: {out!r}\n{message!r}"
        changed += word == "converted"
        if word == "same" and message.isascii():
            assert out == message, what
        else:
            assert convert(message)[1] == out, what  # however it is cut
            compare(message, out, what)
        assert convert(out) == ("same", out), what  # what is 7-bit stays as it is
    assert changed > count / 3
    return changed


HEAD = b"From: <a@b.test>\r\nMIME-Version: 1.0\r\n"
SIGNED = (b'Content-Type: multipart/signed; boundary="s"; protocol="application/pgp-signature"\r\n\r\n--s\r\n%s\r\n--s\r\n'
          b"Content-Type: application/pgp-signature\r\n\r\nxyz\r\n--s--\r\n")
TEXT = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße".encode()


def nested(depth, inside):
    out = b""
    for i in range(depth):
        out += b'Content-Type: multipart/mixed; boundary="n%d"\r\n\r\n--n%d\r\n' % (i, i)
    out += inside + b"\r\n"
    for i in reversed(range(depth)):
        out += b"--n%d--\r\n" % i
    return out


def mixed(*parts):
    return b'Content-Type: multipart/mixed; boundary="m"\r\n\r\n' + b"".join(b"--m\r\n" + p + b"\r\n" for p in parts) + b"--m--\r\n"


PKCS7 = b"\r\nContent-Transfer-Encoding: binary\r\n\r\n0\x82\x01\r\n"
# However it is written, and whichever of two a reader takes.
DISGUISED = [SIGNED.replace(b"Content-Type: multipart/signed;", b"Content-Type: " + way + b";", 1) % TEXT for way in (
    b"(x) multipart/signed", b"(;) multipart/signed", b"((a)(b\\))) multipart/signed", b"multipart (x) / (y) signed (z)",
    b"\r\n\t(x)\r\n multipart/signed", b"\tMULTIPART/Signed\t", b"multipart/\r\n signed", b"multipart /signed", b'"multipart/signed"',
    b"(x multipart/signed", b"multipart/signed x", b"multipart/signed boundary=s", b"multipart/signed, text/plain")]
DISGUISED += [SIGNED.replace(b"Content-Type: multipart/signed;", before + b"multipart/signed;", 1) % TEXT for before in (
    b"Content-Type: text/plain\r\nContent-Type: ", b"Content-Type: multipart/mixed; boundary=s\r\nCONTENT-TYPE: ",
    b"Content-Type: multipart/mixed; boundary=x\r\ncontent-type:", b"Content-Type:\r\nContent-Type: ")]
DISGUISED += [SIGNED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1) % TEXT]


def rules(convert):
    hidden = mixed(SIGNED % TEXT)
    refused = {
        "signed": DISGUISED,
        "S/MIME": [b"Content-Type: " + way + PKCS7 for way in (
            b"(x) application/pkcs7-mime", b"application / x-pkcs7-mime", b"application/pkcs7-signature", b"application/x-pkcs7-signature",
            b'application/octet-stream; name="smime.p7m"', b"application/octet-stream; (x) name = (y) smime.P7S (z)",
            b"application/octet-stream\r\nContent-Disposition: attachment; filename=a.p7c", b"application/octet-stream; name*=us-ascii''a%2Ep7z",
            b'application/octet-stream; name*0="smime."; name*1=p7m')],
        "pgp-encrypted": [b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1 \xc3\xbc\r\n",
                          mixed(b"Content-Type: (\xc3\xbc) application/PGP-encrypted\r\n\r\nVersion: 1\r\n")],
        # a signed part that only some readers see
        "Content-Type": [b"Content-Type: text/plain\r\n" + hidden, b"Content-Type: multipart/mixed; boundary=x\r\n" + hidden],
        "boundary": [hidden.replace(b'boundary="m"', way, 1) for way in (
            b'boundary="x"; boundary="m"', b'boundary="m"; boundary="x"', b"boundary=x; boundary*=us-ascii''m", b'boundary*0=m; boundary="x"',
            b"boundary=m x", b"boundary=m(x", b'boundary="m')],
        "Content-Transfer-Encoding": [
            b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64\r\n\r\n\xc3\xbc\r\n"],
    }
    for why, contents in refused.items():
        for message in contents:
            word, out = convert(HEAD + message)
            assert word == "refused" and (why.encode() in out or b"multipart/signed" in out), (why, message, word, out)
            assert convert(HEAD + b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n" + message + b"\r\n--o--\r\n")[0] == "refused", message
    for label in (b"(x) 8bit", b"8bit (x)", b"(a)(b) 8BIT\t(c)", b"\r\n\t8bit", b"8bit\r\nContent-Transfer-Encoding: 8Bit (again)"):
        for kind in (b"(x) text/plain (y); (z) charset = (a) utf-8 (b)", b"text (x) / plain; charset=\"utf-8\" (;)", b"(multipart/x) text/plain"):
            word, out = convert(HEAD + mixed(b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + label + b"\r\n\r\n\xc3\xbc"))
            assert word == "converted" and b"quoted-printable\r\n\r\n=C3=BC" in out, (label, kind, word, out)
    for boundary in (b'(x) boundary (y) = (z) "m" (a)', b"\r\n\tboundary=m\r\n\t(x;y)", b'x="a;boundary=y"; boundary=m', b'x=(;boundary=y) z; BOUNDARY="\\m"'):
        word, out = convert(HEAD + b"Content-Type: (x) multipart/mixed (;); " + boundary + b"\r\n\r\n--m\r\n" + TEXT + b"\r\n--m--\r\n")
        assert word == "converted" and b"quoted-printable\r\n\r\nGr=C3=BC" in out, (boundary, word, out)
    for version in (b"(x) 1.0", b"1.0 (x)", b"1 . 0", b"1.(x)0"):
        word, out = convert(b"From: <a@b.test>\r\nMIME-version: " + version + b"\r\n" + TEXT)
        assert word == "converted" and out.lower().count(b"mime-version") == 1, (version, out)
    refused = {
        "multipart/signed": [SIGNED % TEXT, mixed(SIGNED % TEXT), b"Content-Type: message/rfc822\r\n\r\n" + SIGNED % TEXT,
                             SIGNED % mixed(TEXT), SIGNED % b"Content-Description: \xc3\xbc\r\n\r\nx",
                             b"Content-Type: multipart/SIGNED (pgp); boundary=s\r\n\r\n\xc3\xbc\r\n--s\r\n\r\nx\r\n--s--\r\n"],
        "multipart/encrypted": [b"Content-Type: multipart/encrypted; boundary=e\r\n\r\n--e\r\n\r\n\xff\r\n--e--\r\n"],
        "pkcs7-mime": [b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n0\x82\x01\r\n",
                       mixed(b"Content-Type: application/x-pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n0\x82")],
        "boundary": [b"Content-Type: multipart/mixed\r\n\r\n--m\r\n\r\n\xc3\xbc\r\n--m--\r\n"],
        "without parts": [b"Content-Type: multipart/mixed; boundary=m\r\n\r\n\xc3\xbc\r\n"],
        "message part": [b"Content-Type: message/delivery-status\r\n\r\nX: \xc3\xbc\r\n"],
        "encoded already": [b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\xc3\xbc\r\n"],
        "100 deep": [nested(101, TEXT), nested(300, TEXT), b"Content-Type: message/rfc822\r\n\r\n" * 101 + TEXT],
    }
    for why, contents in refused.items():
        for message in contents:
            word, out = convert(HEAD + message)
            assert word == "refused" and why.encode() in out, (why, message, word, out)
    ascii = TEXT.decode().encode("ascii", "replace")
    for message in (SIGNED % ascii, mixed(SIGNED % ascii), nested(300, ascii), b"Content-Type: multipart/mixed\r\n\r\nx\r\n",
                    b"Content-Type: multipart/mixed; boundary=m\r\n\r\nno parts\r\n", mixed(ascii)):
        assert convert(HEAD + message) == ("same", HEAD + message), message
    # beside what is converted, what is 7-bit is the same to the octet
    word, out = convert(HEAD + mixed(SIGNED % ascii, TEXT, ascii))
    assert word == "converted" and SIGNED % ascii in out and b"--m\r\n" + ascii + b"\r\n--m" in out
    for inside in (TEXT, b"Content-Type: application/x\r\n\r\n" + bytes(range(128, 256)) * 40):
        for message in (nested(100, inside), b"Content-Type: message/rfc822\r\n\r\n" * 100 + inside + b"\r\n"):
            word, out = convert(HEAD + message)
            assert word == "converted" and out.isascii(), (word, out)
            assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding" not in out
    word, out = convert(HEAD + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + TEXT + b"\r\n")
    assert b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n" in out
    # not MIME at all, and a part without an empty line
    word, out = convert(b"From: <a@b.test>\r\n\r\nGr\xfc\xdfe\r\n")
    assert parse(out).get_payload(decode=True) == b"Gr\xfc\xdfe\r\n" and b"charset=unknown-8bit" in out and b"MIME-Version: 1.0" in out
    compare(m := HEAD + mixed("Grüße ohne Leerzeile\r\nx".encode(), TEXT), convert(m)[1], "no empty line")
    compare(m := HEAD + mixed(b"Content-Type: text/plain\r\nno field\r\n\xc3\xbc"), convert(m)[1], "no field")


def headers(convert):
    def value(field):
        message = field.encode() + b"\r\nX: y\r\n\r\nx\r\n"
        word, out = convert(message)
        assert word == "same", (field, out)  # of the content nothing is changed
        assert out.isascii(), (field, out)
        head = out.partition(b"\r\n\r\n")[0]
        assert all(len(line) <= 998 for line in head.split(b"\r\n")) and b"\r\n\r\n" not in head
        assert not re.search(rb"(?m)^[ \t]*\r?$", head), head
        for word in re.findall(rb"=\?[^?]*\?[QB]\?[^?]*\?=", head):
            assert len(word) <= 75
        name = field.split(":")[0]
        return email.message_from_bytes(out), name, head

    for text in ("Grüße", "Grüße  aus   Köln", "a ü b ö c", "ü" * 400, "日本語 " * 30, "x " * 300 + "ü" + " y" * 300,
                 "=?utf-8?Q?sch=C3=B6n?= und Grüße", "Grüße =?utf-8?Q?sch=C3=B6n?= ü", "😀" * 100, "a" * 900 + " ü", "ü?=_ =?x",
                 "ü \r\n folded ö", "\r\n ü", "tab\tü\tö"):
        for name in ("Subject", "X-Very-" + "Long-" * 9 + "Name", "Comments"):
            plain, _, head = value(f"{name}: {text}")
            shown = text.replace("\r\n", "").replace("=?utf-8?Q?sch=C3=B6n?=", "schön")
            assert words(plain[name]) == " ".join(shown.split()), (text, head)
    assert words(value("Subject:ü")[0]["Subject"]) == "ü"
    for field, shown, addresses in (
            ("To: Jürgen Müller <j@dest.test>", ["Jürgen Müller"], ["j@dest.test"]),
            ('To: "Müller, Jürgen \\"X\\"" <j@dest.test>, plain@dest.test, Ö <o@bücher.test>', ['Müller, Jürgen "X"', "", "Ö"],
             ["j@dest.test", "plain@dest.test", "o@xn--bcher-kva.test"]),
            ("Reply-To: hello@bücher.test", [""], ["hello@xn--bcher-kva.test"]),
            ('Cc: "quoted local"@bücher.test', [""], ['"quoted local"@xn--bcher-kva.test']),
            ("From: 日本語" + "語" * 60 + " <a@b.test>", ["日本語" + "語" * 60], ["a@b.test"]),
            ("To: Grüppe: a@b.test, Ü <c@d.test>;", ["", "Ü"], ["a@b.test", "c@d.test"]),
            ("To: Ü<a@b.test>,Ö<c@d.test>", ["Ü", "Ö"], ["a@b.test", "c@d.test"]),
            ("To: " + ", ".join(f"Ü{i} <a{i}@b.test>" for i in range(40)), [f"Ü{i}" for i in range(40)],
             [f"a{i}@b.test" for i in range(40)])):
        plain, name, head = value(field)
        found = email.utils.getaddresses([plain[name].replace("\r\n", "")])
        assert [words(a) for a, _ in found] == shown and [a for _, a in found] == addresses, (field, head, found)
    assert b"J (=?utf-8?B?QsO8cm8=?= \\) (innen)) <j@dest.test>" in value("Cc: J (Büro \\) (innen)) <j@dest.test>")[2]
    for field in ("To: ü@dest.test", "Cc: x <ü@dest.test>", 'Reply-To: "ü b"@dest.test', "Sender: a.ö@dest.test"):
        assert convert(field.encode() + b"\r\n\r\nx\r\n")[0] == "refused", field
    for name in ("Übersicht.pdf", "ü" * 200, 'a"b;c ü%\'.txt', "日本語" * 40, "plain ü name"):
        quoted = name.replace('"', '\\"')
        plain, _, head = value(f'Content-Disposition: attachment; filename="{quoted}"; size=5')
        assert plain.get_filename() == name and plain.get_param("size", header="content-disposition") == "5", (name, head)
        assert max(map(len, head.split(b"\r\n"))) <= 78, head
    plain, *_ = value("Content-Type: text/plain; name=ü.txt; charset=utf-8")
    assert plain.get_filename() == "ü.txt" and plain.get_content_charset() == "utf-8"
    parameters(value)
    assert b"Message-ID: <%C3%BC@b%C3%BC.test>" in value("Message-ID: <ü@bü.test>")[2]
    assert b"List-Unsubscribe: <https://b.test/%C3%BC>" in value("List-Unsubscribe: <https://b.test/ü>")[2]
    assert b"References: <a@b.test>\r\n <%C3%BC@b.test>" in value("References: <a@b.test>\r\n <ü@b.test>")[2]


def parameters(value):
    """RFC 2231: what was said is read back, in sections on lines of at most 78, each of whole characters."""
    def percent(text):
        return "".join(c if c.isascii() and c.isalnum() else "".join(f"%{b:02X}" for b in c.encode()) for c in text)

    def read(rest, filename, fallback=None, size="5", field="Content-Disposition: attachment"):
        plain, name, head = value(field + rest + f"; size={size}")
        got = [v for k, v in plain.get_params(header=name) if k == "filename"][-1]  # those of RFC 2231 come last
        assert email.utils.collapse_rfc2231_value(got) == filename, (rest, got, head)
        assert plain.get_param("size", header=name) == size, (rest, head)
        assert max(map(len, head.split(b"\r\n"))) <= 78, head
        sections = re.findall(rb"filename\*(\d+)\*=([^;\r]*)", head)
        assert [int(n) for n, _ in sections] == list(range(len(sections))), head
        for _, section in sections:
            urllib.parse.unquote_to_bytes(section.split(b"''")[-1]).decode()
        assert (b"filename=" in head) == bool(fallback) and (not fallback or fallback in head), head

    names = ["\u00fc" * 300, "\u65e5\u672c\u8a9e" * 100 + ".pdf", "\U0001f600" * 230, "a\u00fc \u2603\U0001f600 " * 60 + ".txt", "x" * 480 + "\u00fc"]
    for name in names + ["\u00fc.pdf"]:
        read(f'; filename="{name}"', name)
        read(f"; filename*=utf-8''{name}", name)  # raw where octets must be
        read(f"; filename*=UTF-8'en'{name}%C3%BC", name + "ü")
        read(f'; filename="x.pdf"; filename*=utf-8\'\'{name}', name, b'filename="x.pdf"')
        read(f"; filename=\"{name}\"; filename*=utf-8''%E2%98%83", "\u2603")
        cut = len(name) // 3
        read(f'; filename*0="{name[:cut]}";\r\n filename*1="{name[cut:]}"', name)
        read(f"; filename*0*=utf-8''{name[:cut]}; filename*1*={name[cut:]}", name)
        read(f"; filename*0*=utf-8''{percent(name[:cut])};\r\n filename*1=\"{name[cut:]}\"", name)
        read(f'; (c;omment) filename (x) = "{name}" (y)', name)
    plain, _, head = value("Content-Type: text/plain; x*1=\u00fc; " + "n" * 950 + "=\u00fc; charset=utf-8")
    assert plain.get_content_charset() == "utf-8" and plain.get_content_type() == "text/plain", head
    # nothing that grows passes 998, in whatever field it stands
    for field in ("Content-Location: https://b.test/%s", "List-Unsubscribe: <https://b.test/%s>", "Message-ID: <%s@b.test>", "Received: %s",
                  "References: <%s@b.test>", "Authentication-Results: x; %s", "Content-Type: %s/x", "Content-Type: text/%s; charset=utf-8",
                  "Content-Type: text/plain; (%s) charset=utf-8", "Date: (%s)", "Received: from x (%s) by y", "To: <a@b.test> (%s)",
                  "Content-Disposition: x; %s=y", "Content-Disposition: x; a*7*=%s", "List-Id: <%s.b.test>", "Subject: %s", "X-%s: y"):
        for text in ("\u00fc" * 440, "\u65e5" * 300, "\u00fc " * 300):
            if "@" not in field or " " not in text:
                plain, name, head = value(field % text) if "X-" not in field else (None, None, b"")
    location = value("Content-Location: https://b.test/" + "\u00fc" * 440)[0]["Content-Location"]
    assert re.sub(r"\s", "", location) == "https://b.test/" + "%C3%BC" * 440
    link = value("List-Unsubscribe: <https://b.test/" + "\u00fc" * 440 + ">")[0]["List-Unsubscribe"]
    assert re.sub(r"\s", "", link) == "<https://b.test/" + "%C3%BC" * 440 + ">"


def speed(convert):
    """Time is linear in the size, whatever the nesting."""
    def took(message):
        start = time.monotonic()
        word, out = convert(message)
        assert word == "converted", (word, out[:200])
        return time.monotonic() - start

    size = 2_000_000
    line = "Grüße aus dem Süden, wo die Zeilen lang sind und nicht aufhören\r\n".encode()
    flat = took(HEAD + mixed(TEXT + b"\r\n" + line * (size // len(line))))
    deep = took(HEAD + nested(100, TEXT + b"\r\n" + line * (size // len(line))))
    dashes = took(HEAD + nested(99, mixed(TEXT, b"\r\n" + b"--x\r\n" * (size // 5))))
    parts = took(HEAD + nested(99, mixed(*[b"\r\n\xc3\xbc"] * (size // 40))))
    unclosed = took(HEAD + mixed(TEXT, b"Content-Type: text/plain" + b";\r\n (x" * 40_000 + b"\r\n\r\n\xc3\xbc"))
    names = took(HEAD + mixed(TEXT, b"Content-Disposition: x" + b";\r\n filename=\xc3\xbc" * 12_000 + b";\r\n a*0=\xc3\xbc" * 100 + b"\r\n\r\n\xc3\xbc"))
    assert unclosed < 100 * flat + 20 and names < 100 * flat + 20, (flat, unclosed, names)
    # other programs may take the processor; a copy for each level would take a hundred times as long
    assert deep < 20 * flat + 2 and dashes < 100 * flat + 20 and parts < 100 * flat + 20, (flat, deep, dashes, parts)
    return flat, deep, dashes, parts


def main():
    program, seed, count = (sys.argv[1:] + [str(os.getpid()), "400"][len(sys.argv) - 2:])[:3]
    convert = Converter(program)
    rules(convert)
    headers(convert)
    changed = trees(convert, seed, int(count))
    print(f"conversion: {count} messages from seed {seed}, {changed} converted; seconds",
          *[f"{s:.2f}" for s in speed(convert)])
    convert.end()


main()
