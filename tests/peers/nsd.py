"""NSD serving the zone "test", signed or not, and changed while it runs."""

import os
import signal
import subprocess
import textwrap

from conftest import free_port, wait_port

HEAD = ["$ORIGIN test.", "$TTL 60", "@ SOA ns hostmaster {serial} 3600 600 86400 60", "@ NS ns", "ns A {address}"]


def text_record(name, value):
    parts = " ".join('"%s"' % value[i:i + 250] for i in range(0, len(value), 250))
    return f"{name}. TXT {parts}"


class Nsd:
    """`lines` are the zone's records. With `signed`, `anchor` is the file with the key to trust. With an address of its own
    it serves at port 53. `udp_max`: so many answers a second by UDP; the others are to be asked for by TCP (0: all by UDP)."""

    def __init__(self, path, lines=(), signed=False, address="127.0.0.1", udp_max=0):
        path.mkdir(exist_ok=True)
        self.path, self.lines, self.serial, self.key, self.address = path, list(lines), 0, None, address
        self.port = free_port() if address == "127.0.0.1" else 53
        if signed:
            made = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "test"], cwd=path, check=True,
                                  capture_output=True, text=True)
            self.key = made.stdout.strip()
            self.anchor = path / f"{self.key}.ds"
        self.write()
        (path / "nsd.conf").write_text(textwrap.dedent(f"""
            server:
                ip-address: {self.address}@{self.port}
                username: ""
                rrl-ratelimit: {udp_max}
                rrl-slip: 1
                zonesdir: "{path}"
                database: ""
                pidfile: "{path}/nsd.pid"
                xfrdfile: "{path}/xfrd.state"
                zonelistfile: "{path}/zone.list"
                logfile: "{path}/nsd.log"
            remote-control:
                control-enable: no
            zone:
                name: "test"
                zonefile: "zone"
            """))
        self.process = subprocess.Popen(["nsd", "-d", "-c", path / "nsd.conf"], stderr=subprocess.DEVNULL)
        wait_port(self.port, address, self.process)

    def write(self):
        self.serial += 1
        text = "\n".join([line.format(serial=self.serial, address=self.address) for line in HEAD] + self.lines) + "\n"
        plain = self.path / "plain"
        plain.write_text(text)
        if self.key:
            subprocess.run(["ldns-signzone", "-n", "-f", "zone.new", "plain", self.key], cwd=self.path, check=True,
                           capture_output=True)
            os.rename(self.path / "zone.new", self.path / "zone")
        else:
            os.rename(plain, self.path / "zone")

    def publish(self, *lines):
        """Add records; NSD looks at its zone file again."""
        self.lines += lines
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
