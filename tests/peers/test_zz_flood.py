import time, collections
import pytest
from apart import STREAMS, delays, tenants
from receivers import Receiver
from slow_dns import SlowDns

@pytest.fixture
def dns():
    server = SlowDns(lambda name, kind: ("SILENCE", 0) if name.endswith(".evil.test") else None)
    server.times = collections.defaultdict(list)
    inner = server.slow
    def slow(name, kind):
        how = inner(name, kind)
        if how: server.times[name, kind].append(time.monotonic())
        return how
    server.slow = slow
    others = []
    for _ in range(5):
        o = SlowDns(server.slow)
        o.zone = server.zone
        others.append(o)
    server.others = others
    yield server
    for o in others: o.stop()
    server.stop()

def test_flood(relay_factory, dns, delivery_port):
    for i in range(400):
        dns.mail(f"v{i}.test", f"mx.v{i}.test=127.0.0.3")
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        relay = relay_factory(STREAMS)
        text = relay.config.read_text()
        relay.config.write_text(text.replace(f'"127.0.0.1@{dns.port}"', ", ".join(f'"127.0.0.1@{o.port}"' for o in [dns, *dns.others])))
        senders = tenants(relay, "eve", "bob")
        n = 0
        begin = time.monotonic()
        i = 0
        for k in range(0, 6000, 100):
            senders["eve"].send([f"x@e{j}.evil.test" for j in range(k, k + 100)], f"eve {k}", "news", "hello@eve.test")
        while time.monotonic() - begin < 110:
            accepted = {}
            for _ in range(3):
                accepted[f"code {i}"] = senders["bob"].send(f"b{i}@v{i}.test", f"code {i}", "code", "hello@bob.test"); i += 1
            took = delays(healthy, accepted, 60)
            now = time.monotonic()
            spans = [(t[-1] - t[0], len(t)) for t in list(dns.times.values())]
            active = sum(1 for t in list(dns.times.values()) if now - t[-1] < 20)
            print(f"{now - begin:.0f} s: code {took[-1]:.2f}, names asked {len(dns.times)}, asked in the last 20 s {active}, longest {max(spans) if spans else 0}", flush=True)
            time.sleep(4)
    finally:
        healthy.stop()
