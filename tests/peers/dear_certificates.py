"""Certificates whose key takes OpenSSL 3 a quarter of a second to parse: explicit parameters over the prime p = 141 * 2^640 + 1, and points
of which one coordinate is to be found (RFC 5480 section 2.1.1 forbids such parameters).

    spki = dear_key(7)                               # each number is another key, and as dear
    lengthen(certificate, key_count=16)              # a PEM file gets 16 such certificates behind its own
"""

import base64

P = 141 * 2**640 + 1
SIZE = 81


def der(tag, content):
    length = len(content)
    octets = length.to_bytes((length.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (octets if length < 128 else bytes([0x80 | len(octets)]) + octets) + content


def integer(n):
    return der(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def element(n):
    return n.to_bytes(SIZE, "big")


def dear_key(number=0):
    """A SubjectPublicKeyInfo. The order of the group is another each time, which nobody checks."""
    field = der(0x30, der(6, bytes.fromhex("2a8648ce3d0101")) + integer(P))
    curve = der(0x30, der(4, element(P - 3)) + der(4, element(5)))
    parameters = der(0x30, integer(1) + field + curve + der(4, b"\x02" + element(0x13)) + integer((1 << 255) + 1 + 2 * number))
    return der(0x30, der(0x30, der(6, bytes.fromhex("2a8648ce3d0201")) + parameters) + der(3, b"\x00\x02" + element(0x3e9)))


def dear_certificate(number=0):
    algorithm = der(0x30, bytes.fromhex("06082a8648ce3d040302"))
    nobody = der(0x30, b"")
    dates = der(0x30, der(0x17, b"200101000000Z") + der(0x17, b"490101000000Z"))
    signed = der(0x30, der(0xa0, integer(2)) + integer(number + 1) + algorithm + nobody + dates + nobody + dear_key(number))
    return der(0x30, signed + algorithm + der(3, b"\0" + der(0x30, integer(1) + integer(1))))


def lengthen(certificate, key_count):
    with open(certificate, "ab") as file:
        for number in range(key_count):
            file.write(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(dear_certificate(number)) + b"-----END CERTIFICATE-----\n")
