"""What a disk may hold when the power goes: the shim's trace, replayed up to the last completed syncs.

What was written before a sync began that has completed is there. Of the rest, each file gets one of three fates: all of it
lost; the first part there, torn at a 512-byte border; or any of its 512-byte sectors there and any other not, as a disk
that writes out of order leaves it. A name that was made or removed is there, or gone, only for sure after a sync of its
directory. The shared-memory file of SQLite is never there.
"""

import pathlib
import shutil
import struct

SECTOR = 512
RECORD = struct.Struct("=IIqq")


def read_trace(path):
    """(kind, path, offset, bytes) of each whole record."""
    data, at = pathlib.Path(path).read_bytes(), 0
    while at + RECORD.size <= len(data):
        kind, path_len, offset, length = RECORD.unpack_from(data, at)
        end = at + RECORD.size + path_len + length
        if end > len(data):
            return  # it died while writing this down
        name = data[at + RECORD.size:at + RECORD.size + path_len].decode()
        yield chr(kind), name.removesuffix(" (deleted)"), offset, data[end - length:end] if length else b""
        at = end


class File:
    """One file: what is safe, and what is only written."""

    def __init__(self, content=b"", named=True):
        self.content = bytearray(content)
        self.live, self.named = True, named  # its name: as the system sees it, as the disk surely has it
        self.written, self.begun = [], 0  # not synced; how many of them were there when the sync began

    def sync(self):
        for change in self.written[:self.begun]:
            apply(self.content, *change)
        del self.written[:self.begun]
        self.begun = 0


def apply(content, kind, offset, data):
    if kind == "T":
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset:offset + len(data)] = data


def sectors(changes):
    """The changes, cut at the borders of sectors."""
    for kind, offset, data in changes:
        if kind == "T":
            yield kind, offset, data
        while kind == "W" and data:
            room = SECTOR - offset % SECTOR
            yield kind, offset, data[:room]
            offset, data = offset + room, data[room:]


def lose(file, fate, random):
    """Decide what of the unsynced changes has reached the disk."""
    pieces = list(sectors(file.written))
    if fate == "torn":
        pieces = pieces[:random.randrange(len(pieces) + 1)]
    elif fate == "unordered":
        pieces = [piece for piece in pieces if random.random() < 0.5]
    else:
        pieces = []
    for piece in pieces:
        apply(file.content, *piece)


def replay(baseline, trace):
    """The files after the trace: {path: File}."""
    files = {str(p): File(p.read_bytes()) for p in baseline.rglob("*")
             if p.is_file() and (p.suffix == ".seg" or p.name in ("state.db", "state.db-wal"))}
    files = {name.replace(str(baseline), str(baseline).removesuffix(".before"), 1): file for name, file in files.items()}
    for kind, name, offset, data in trace:
        if kind in "BS" and not name.endswith((".seg", ".db", "-wal")):  # a directory
            for path, file in files.items():
                if kind == "S" and str(pathlib.Path(path).parent) == name:
                    file.named = file.live
        elif kind == "C":
            files[name] = File(named=False)
        elif name not in files:
            continue
        elif kind == "U":
            files[name].live = False
        elif kind == "B":
            files[name].begun = len(files[name].written)
        elif kind == "S":
            files[name].sync()
        else:
            files[name].written.append((kind, offset, data))
    return files


def cut(state, trace, random):
    """Make `state` what a power cut may have left, from the copy of it in state.before and the trace. Returns the fate."""
    before = state.with_name(state.name + ".before")
    fate = random.choice(["lost", "torn", "unordered"])
    files = replay(before, read_trace(trace))
    shutil.rmtree(state)
    shutil.copytree(before, state, ignore=shutil.ignore_patterns("*.seg", "state.db*", "control.sock"))
    for name, file in files.items():
        if file.live if file.live == file.named else random.random() < 0.5:
            lose(file, fate, random)
            pathlib.Path(name).write_bytes(file.content)
    return fate
