"""Debian's Postfix in a directory of its own."""

import os
import pathlib
import shutil
import subprocess
import textwrap


class Instance:
    """Started with these settings on top of the ones that only place it; `port`: where it listens, or nowhere;
    `files`: further ones for its configuration directory; `resolver`: a Validator that it believes, instead of the machine's."""

    def __init__(self, path, settings, port=None, files={}, resolver=None):
        self.path, self.conf = path, path / "conf"
        for name in ("conf", "queue", "data"):
            (path / name).mkdir(parents=True)
        for parent in [path, *path.parents]:  # its processes run as another user
            if parent not in (pathlib.Path("/tmp"), pathlib.Path("/")):
                os.chmod(parent, 0o755)
        master = pathlib.Path("/usr/share/postfix/master.cf.dist").read_text()
        master = master.replace("\nsmtp      inet", f"\n127.0.0.1:{port} inet" if port else "\n#smtp      inet")
        (self.conf / "master.cf").write_text("\n".join(
            line.replace(" y       ", " n       ") for line in master.splitlines()) + "\n")  # no chroot
        (self.conf / "main.cf").write_text(textwrap.dedent(f"""
            compatibility_level = 3.6
            queue_directory = {path}/queue
            data_directory = {path}/data
            mydestination =
            inet_protocols = ipv4
            maillog_file = /dev/stdout
            maillog_file_prefixes = /dev
            """) + textwrap.dedent(settings))
        for name, text in files.items():
            (self.conf / name).parent.mkdir(exist_ok=True)
            (self.conf / name).write_text(text)
        shutil.chown(path / "data", "postfix")
        self.log = open(path / "log", "wb")
        command = ["postfix", "-c", str(self.conf), "start-fg"]
        self.process = subprocess.Popen(resolver.believing(*command) if resolver else command, stdout=self.log, stderr=self.log)

    def log_text(self):
        return (self.path / "log").read_text(errors="replace")

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.conf), "stop"], capture_output=True, timeout=30)
        self.process.wait(timeout=30)
        self.log.close()
