"""Certificates whose key takes OpenSSL 3 a quarter of a second to parse: explicit parameters over the prime p = 141 * 2^640 + 1, and points
of which one coordinate is to be found (RFC 5480 section 2.1.1 forbids such parameters).

    spki = dear_key(7)                               # each number is another key, and as dear
    lengthen(certificate, key_count=16)              # a PEM file gets 16 such certificates behind its own
"""

import base64

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


def long_kept(certificate, name, entries=600, points=1200):
    """A PEM file and its key, self-signed, of 15 KB, that OpenSSL keeps 100 MB of once it has verified it: each point, at which there are
    lists of revoked certificates, has a name relative to the issuer's, which is long. A second and a half to verify."""
    made = serialization.Encoding
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(made.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    common_name = bytes.fromhex("0603550403")
    issuer = der(0x30, der(0x31, der(0x30, common_name + der(0x0c, b"a"))) * entries)
    subject = der(0x30, der(0x31, der(0x30, common_name + der(0x0c, name.encode()))))
    algorithm = der(0x30, bytes.fromhex("06082a8648ce3d040302"))
    dates = der(0x30, der(0x17, b"200101000000Z") + der(0x17, b"490101000000Z"))
    lists = der(0x30, der(0x30, der(0xa0, der(0xa1, b""))) * points)
    extensions = der(0x30, der(0x30, bytes.fromhex("0603551d11") + der(4, der(0x30, der(0x82, name.encode()))))
                     + der(0x30, bytes.fromhex("0603551d1f") + der(4, lists)))
    signed = der(0x30, der(0xa0, integer(2)) + integer(1) + algorithm + issuer + dates + subject + public + der(0xa3, extensions))
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    with open(certificate, "wb") as file:
        file.write(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der(0x30, signed + algorithm + der(3, b"\0" + signature)))
                   + b"-----END CERTIFICATE-----\n")
        file.write(key.private_bytes(made.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def lengthen(certificate, key_count):
    with open(certificate, "ab") as file:
        for number in range(key_count):
            file.write(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(dear_certificate(number)) + b"-----END CERTIFICATE-----\n")
