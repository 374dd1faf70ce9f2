"""A name server beside which nothing waits: what it answers slowly, or never, holds up only itself."""

import asyncio
import struct
import threading

import dnslib

import conftest


class SlowDns(conftest.Dns):
    """`slow(name, kind)`: None: answered at once, as the zone has it; ("SILENCE", 0), ("SERVFAIL", seconds), or the record data
    and seconds."""

    def __init__(self, slow):
        self.slow = slow
        super().__init__()
        self.stop_zone = super().stop
        self.stop_zone()
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.listen())
        self.loop.call_soon(ready.set)
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def listen(self):
        owner = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                owner.loop.create_task(self.answer(data, address))

            async def answer(self, data, address):
                reply = await owner.reply(data)
                if reply is not None:
                    self.transport.sendto(reply if len(reply) <= 1200 else owner.truncated(data), address)

        async def stream(reader, writer):
            try:
                while True:
                    data = await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])
                    reply = await self.reply(data)
                    if reply is not None:
                        writer.write(struct.pack("!H", len(reply)) + reply)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        self.datagrams, _ = await self.loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", self.port))
        self.streams = await asyncio.start_server(stream, "127.0.0.1", self.port)

    @staticmethod
    def truncated(data):
        reply = dnslib.DNSRecord.parse(data).reply()
        reply.header.tc = 1
        return reply.pack()

    async def reply(self, data):
        request = dnslib.DNSRecord.parse(data)
        name, kind = str(request.q.qname).lower().rstrip("."), dnslib.QTYPE[request.q.qtype]
        how = self.slow(name, kind)
        if how is None:
            return self.resolve(request, None).pack()
        self.asked.append((name, kind))
        await asyncio.sleep(how[1])
        reply = request.reply()
        if how[0] == "SILENCE":
            return None
        if how[0] == "SERVFAIL":
            reply.header.rcode = dnslib.RCODE.SERVFAIL
        else:
            for value in how[0]:
                reply.add_answer(dnslib.RR(request.q.qname, request.q.qtype, ttl=self.ttl, rdata=conftest.rdata(kind, value)))
        return reply.pack()

    def stop(self):
        self.loop.call_soon_threadsafe(self.streams.close)
        self.loop.call_soon_threadsafe(self.datagrams.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
