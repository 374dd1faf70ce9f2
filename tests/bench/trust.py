"""Receivers that ask for verified TLS, all delivered to by MX: half of the domains by DANE, in signed zones, half by MTA-STS.

d1.test, d3.test … are signed zones whose hosts have TLSA records; d2.test, d4.test … are not signed, and one policy host has an enforced
policy that names their hosts. Each domain has a host of its own, and all of them are the one sink.
"""

import ssl

from bench import Sealpost, Sink, Stopped, cpu_s, load, tree, wait_for
from dane_zone import SignedZones, tlsa
from policy_host import Authority, PolicyHost, reply_of, text_of
from zones import own_addresses

TTL_S = 3600  # longer than a measurement: what DNS says is asked for once


class Receivers(Stopped):
    def __init__(self, path, count):
        self.domains = [f"d{n}.test" for n in range(1, count + 1)]
        self.ca, by_policy = path / "ca.pem", self.domains[1::2]
        authority = Authority(path)
        certificate, key = authority.issue(*[f"mx.{d}" for d in self.domains])
        self.sink = Sink(path, certificate, key)
        self.zones = SignedZones(path / "zones", ttl=TTL_S)
        for domain in self.domains:
            self.zones.zone(domain, "insecure" if domain in by_policy else "secure")
            self.zones.mail(domain, f"mx.{domain}=127.0.0.1")
            if domain not in by_policy:
                self.zones.add(f"_{self.sink.port}._tcp.mx.{domain}", "TLSA", tlsa(certificate, 3, 1, 1))
        self.policy_host = self.serve_policy(by_policy, authority.issue, own_addresses(9)[8])

    def serve_policy(self, domains, issue, address):
        for domain in domains:
            self.zones.add(f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1;")
            self.zones.add(f"mta-sts.{domain}", "A", address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue(*[f"mta-sts.{d}" for d in domains]))
        return PolicyHost(address, context, reply_of(text_of("enforce", [f"mx.{d}" for d in domains])))

    def stop(self):
        self.policy_host.stop()
        self.zones.stop()
        self.sink.stop()


class Sender(Sealpost):
    """A relay that validates what their zones say; `settings` are of its section delivery."""

    def __init__(self, path, receivers, settings):
        super().__init__(path, receivers.sink.port, smart_host=False, dns=receivers.zones)
        self.receivers = receivers
        text = self.relay.config.read_text().replace("delivery { ", f"delivery {{ {settings}  ", 1)
        self.relay.config.write_text(text.replace(f"127.0.0.1@{receivers.zones.port}", f"{receivers.zones.inner}@53"))
        self.relay.environment["SSL_CERT_FILE"] = str(receivers.ca)
        receivers.zones.publish()

    def pids(self):
        return tree(self.relay.process.pid)  # the fetcher's part is its own

    def meet(self):
        """One message to each domain, after which its records and its policy are known; CPU ms a domain."""
        count, before = len(self.receivers.domains), cpu_s(self.pids())
        load(self.port, self.secret, "--messages", count, "--connections", 4, "--spread", 0, "--domains", count)
        wait_for(lambda: self.receivers.sink.messages >= count, 120)
        return (cpu_s(self.pids()) - before) * 1000 / count

    def policies(self):
        """{(policy, is it verified?): messages} of all that was delivered."""
        found = {}
        for line in self.relay.log().splitlines():
            if " delivered " in line:
                words = dict(word.split("=", 1) for word in line.split() if "=" in word)
                key = words.get("tls_policy"), words.get("verified")
                found[key] = found.get(key, 0) + 1
        return found
