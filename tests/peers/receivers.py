"""A receiving server that behaves as it is told: mute, slow, with few connections; it notes what comes, and when."""

import asyncio
import threading
import time


class Receiver:
    """Listens on `address`:`port` from the start. `mute`: takes connections and says nothing. `stalls`: nothing after the answer
    to EHLO. `takes_s`: how long a message takes, or a function
    that says it of a subject.
    `connections`: one more is answered 421. `messages`: (monotonic time, recipients, subject) of each, in order."""

    def __init__(self, address, port, mute=False, takes_s=0.0, connections=None, stalls=False):
        self.address, self.port, self.mute, self.takes_s, self.limit = address, port, mute, takes_s, connections
        self.stalls = stalls
        self.messages, self.open, self.most, self.refused = [], 0, 0, 0
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, self.address, self.port, backlog=1000))
        self.loop.call_soon(ready.set)
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def serve(self, reader, writer):
        self.open += 1
        self.most = max(self.most, self.open if self.limit is None else min(self.open, self.limit))
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def talk(self, reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        if self.mute:
            await reader.read()
            return
        if self.limit is not None and self.open > self.limit:
            self.refused += 1
            say("421 4.7.0 Too many connections from your address")
            return
        say("220 ready ESMTP")
        recipients = []
        while True:
            line = (await reader.readuntil(b"\n")).decode("latin1").strip()
            verb = line.upper().split(":")[0].split()[0] if line else ""
            if verb == "DATA":
                say("354 go on")
                message = await reader.readuntil(b"\r\n.\r\n")
                subject = [h[8:].strip() for h in message.decode("latin1").split("\r\n\r\n")[0].split("\r\n") if h.startswith("Subject:")]
                await asyncio.sleep(self.takes_s(subject[0]) if callable(self.takes_s) else self.takes_s)
                self.messages.append((time.monotonic(), recipients, subject[0] if subject else ""))
                recipients = []
                say("250 2.0.0 taken")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            elif verb == "EHLO":
                say("250-receiver\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000")
                if self.stalls:
                    await reader.read()
                    return
            else:
                if verb == "RCPT":
                    recipients.append(line.split("<")[1].split(">")[0])
                say("250 2.0.0 ok")

    def subjects(self):
        return [subject for _, _, subject in self.messages]

    def stop(self):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
