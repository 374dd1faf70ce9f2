"""Least privilege, by a release build: what the relay may still do when it runs, as the kernel sees it."""

import errno
import json
import os
import pathlib
import re
import socket
import subprocess

import conftest
import pytest
from conftest import free_port, wait_for
from test_tls import certify, subject

pytestmark = pytest.mark.usefixtures("authorities")


@pytest.fixture
def relay(release, relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return relay_factory(f'http {{ address = "127.0.0.1:{free_port()}" url = "https://u.club.test" }}\n'
                         'stream "news" { class = "digest" unsubscribe = "one-click" }').start()


def status(pid, task=None):
    path = f"/proc/{pid}/task/{task}/status" if task else f"/proc/{pid}/status"
    return dict(line.split(":\t", 1) for line in pathlib.Path(path).read_text().splitlines() if ":\t" in line)


def preloaded(path, name, source):
    """A library that stands between the relay and others."""
    (path / f"{name}.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(path / f"{name}.so"), str(path / f"{name}.c")], check=True)
    return path / f"{name}.so"


def test_no_privilege_is_left_in_any_thread(relay):
    pid = relay.process.pid
    tasks = os.listdir(f"/proc/{pid}/task")
    assert len(tasks) >= 3
    for task in tasks:
        s = status(pid, task)
        assert s["NoNewPrivs"] == "1" and s["Seccomp"] == "2"
        assert all(int(s[key], 16) == 0 for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), s
    # one from the first moment, one that all have, and the store's two threads and those that sign have a third one of their own
    # (a start anew, to compute RSA in the faster way, has added the first one once more)
    signing = min(len(os.sched_getaffinity(0)) - 1, 4)

    def as_said():
        filters = [int(status(pid, task)["Seccomp_filters"]) for task in os.listdir(f"/proc/{pid}/task")]
        fewest = min(filters)
        return fewest >= 2 and set(filters) == {fewest, fewest + 1} and filters.count(fewest + 1) == 2 + signing

    wait_for(as_said)  # a thread that has just begun puts its own one on first
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0", limits)
    wait_for(lambda: re.search(r"shut_in .*landlock=[1-9]", relay.log()))


ASKING_FOR_A_RING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int uv_loop_init(void *loop)
{
    char parameters[512] = {0};
    const char *wanted = getenv("UV_USE_IO_URING");
    for (int i = 0; i < 3; i++) {
        errno = 0;
        long ring = syscall(SYS_io_uring_setup + i, 8, parameters, 0, 0, 0, 0);
        dprintf(2, "ring %d: %ld %d %s\\n", i, ring, errno, wanted ? wanted : "-");
    }
    return ((int (*)(void *))dlsym(RTLD_NEXT, "uv_loop_init"))(loop);
}
"""


def test_there_is_no_io_uring_from_before_the_first_loop(release, relay_factory, monkeypatch, tmp_path):
    """A newer libuv asks for a ring with each loop: no ring is there before the relay is shut in, none is asked for after."""
    monkeypatch.setenv("LD_PRELOAD", str(preloaded(tmp_path, "ring", ASKING_FOR_A_RING)))
    relay = relay_factory().start()
    relay.stop()
    answers = re.findall(r"^ring (\d): (\S+) (\d+) (\S+)$", relay.log(), re.M)
    assert len(answers) >= 6 and {a[1:] for a in answers} == {("-1", str(errno.ENOSYS), "0")}, answers
    for words in (["dns", "club.test"], ["sink", "--listen", "192.0.2.1:1"]):  # each makes a loop of its own, in no sandbox
        done = relay.command(*words, check=False)
        assert f"ring 0: -1 {errno.ENOSYS} 0" in done.stderr, done.stderr


TRYING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static void try(const char *where, const char *what, long call, long a, long b, long c)
{
    errno = 0;
    long result = syscall(call, a, b, c, 0L, 0L, 0L);
    if (result == 0 && (call == SYS_clone || call == SYS_clone3))
        _exit(0);
    dprintf(2, "try %s %s: %ld %d\\n", where, what, result, errno);
    if (result > 2 && call == SYS_socket)
        close((int)result);
}
static void try_all(const char *where)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH, AF_CAN, AF_KEY, AF_RDS, AF_TIPC};
    char name[32];
    for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        snprintf(name, sizeof(name), "family-%d", families[i]);
        try(where, name, SYS_socket, families[i], SOCK_DGRAM, 0);
    }
    try(where, "newuser", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0);
    try(where, "newnet-thread", SYS_clone, CLONE_NEWNET | CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0);
    try(where, "fork", SYS_clone, SIGCHLD, 0, 0);
    struct clone_args how = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    try(where, "clone3", SYS_clone3, (long)&how, sizeof(how), 0);
    char c = 'x';
    try(where, "type-into-terminal", SYS_ioctl, 2, 0x5412, (long)&c);
}
int uv_poll_init(void *loop, void *handle, int fd)
{
    static int done;
    if (!done++)
        try_all("relay");
    return ((int (*)(void *, void *, int))dlsym(RTLD_NEXT, "uv_poll_init"))(loop, handle, fd);
}
"""


def test_what_a_filter_lets_through_it_lets_through_with_plain_arguments(release, relay_factory, monkeypatch, tmp_path):
    """No process, no namespace, no family of sockets that mail does not use, nothing typed into the operator's terminal."""
    monkeypatch.setenv("LD_PRELOAD", str(preloaded(tmp_path, "try", TRYING)))
    relay = relay_factory().start()
    relay.stop()
    answers = {what: (result, int(wrong)) for what, result, wrong in re.findall(r"^try relay (\S+): (\S+) (\d+)$", relay.log(), re.M)}
    used = {f"family-{int(f)}" for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)}
    assert len(answers) == 17 and all(int(answers[what][0]) > 0 for what in used), answers
    assert {what: a for what, a in answers.items() if what not in used and a != ("-1", errno.ENOSYS)} == {}


WITHOUT = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
int main(int argc, char **argv)
{
    struct sock_filter calls[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), CALL(strchr(argv[1], 's') ? SYS_seccomp : 4000),
        CALL(strchr(argv[1], 'l') ? SYS_landlock_create_ruleset : 4000),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, strchr(argv[1], 's') ? SYS_prctl : 4000, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof(calls) / sizeof(calls[0]), calls};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    execv(argv[2], argv + 2);
    return 126;
}
"""


@pytest.mark.parametrize("missing,names,open_then", [
    ("s", "no seccomp:", "system calls are not limited;"), ("l", "no Landlock:", "every file of the account is in reach;"),
    ("sl", "no seccomp and no Landlock:", "system calls are not limited, every file of the account is in reach;")])
def test_where_a_part_of_the_sandbox_is_missing_that_is_said(release, relay_factory, dns, sink_factory, monkeypatch, tmp_path, missing, names, open_then):
    """As on a kernel or in a container that has it not: refused, unless the config accepts it; then said each time."""
    (tmp_path / "without.c").write_text(WITHOUT)
    subprocess.run(["cc", "-o", str(tmp_path / "without"), str(tmp_path / "without.c")], check=True)
    wrapper = tmp_path / "serve"
    wrapper.write_text(f"#!/bin/sh\nexec {tmp_path}/without {missing} {os.path.abspath(release)} \"$@\"\n")
    wrapper.chmod(0o755)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory()
    relay = relay_factory()
    monkeypatch.setattr(conftest, "SEALPOST", str(wrapper))
    for command in ("serve", "config check"):
        done = relay.command(*command.split(), check=False)
        said = done.stderr + done.stdout
        assert done.returncode == 1 and names in said and open_then in said and 'sandbox = "available"' in said, said
        assert command == "config check" or said.count("\n") == 1, said
    relay.config.write_text('sandbox = "available"\n' + relay.config.read_text())
    done = relay.command("config", "check", check=False)
    assert done.returncode == 0 and names in done.stderr + done.stdout
    relay.start()
    wait_for(lambda: re.search(r"warn sandbox_incomplete what=.*" + names, relay.log()))
    relay.send()
    sink.wait(1)
    s = status(relay.process.pid)
    assert (s["Seccomp_filters"] == "1" if "s" in missing else int(s["Seccomp_filters"]) >= 3) and s["NoNewPrivs"] == "1" and int(s["CapEff"], 16) == 0
    relay.stop()


def test_mail_goes_its_way_all_the_same(relay, sink_factory):
    sink = sink_factory(records=relay.records)
    big = "".join(f"{i:070d}\r\n" for i in range(20000))
    for message in ("From: <hello@club.test>\r\nSubject: x\r\n\r\nhello\r\n",
                    "From: <hello@club.test>\r\nSubject: y\r\n\r\n" + big,
                    "From: <hello@club.test>\r\nSealpost-Stream: news\r\nSubject: z\r\n\r\nnews\r\n"):
        relay.send(message=message)
    assert [about["dkim"] for about, _ in sink.wait(3, 30)] == ["pass"] * 3
    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    relay.client(user="human", secret="correct horse battery").quit()
    relay.reload()
    relay.json("queue", "list")
    relay.json("key", "rotate", "club.test")
    relay.stop()


def test_as_root_it_becomes_the_owner_of_its_state(release, relay_factory, dns, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/") and parent.stat().st_uid == 0:
            parent.chmod(0o755)
    low = 987  # a port that only root may bind
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if s.connect_ex(("127.0.0.1", low)) == 0:
            pytest.skip("the port is taken")
    relay = relay_factory()
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    relay.config.write_text(relay.config.read_text().replace(f"127.0.0.1:{relay.submissions}", f"127.0.0.1:{low}"))
    relay.submissions = low
    relay.start()
    s = status(relay.process.pid)
    nobody = str(__import__("pwd").getpwnam("nobody").pw_uid)
    assert set(s["Uid"].split()) == {nobody} and s["Groups"].strip() in ("", str(__import__("grp").getgrnam("nogroup").gr_gid))
    children_of = lambda pid: pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()  # noqa: E731
    children = children_of(relay.process.pid)
    # beside it one that may read files of root's, and no more: test_certificates.py
    helper = [child for child in children if int(status(child)["CapEff"], 16) == 0]
    assert len(children) == 2 and len(helper) == 1 and int(s["CapBnd"], 16) == 0
    wait_for(lambda: children_of(helper[0]))
    for child in helper + children_of(helper[0]):  # and the fetcher
        s = status(child)
        assert set(s["Uid"].split()) == {nobody} and int(s["CapEff"], 16) == 0 and s["NoNewPrivs"] == "1"
    assert all(int(s[key], 16) == 0 for key in ("CapInh", "CapPrm", "CapBnd", "CapAmb")), s  # nor can a program it starts get any
    wait_for(lambda: sorted(os.listdir(f"/proc/{helper[0]}/fd")) == ["0", "1", "2", "3", "4"])  # none of the relay's sockets
    relay.client(implicit=True).quit()
    relay.stop()
    wait_for(lambda: not os.path.exists(f"/proc/{helper[0]}"))
    relay.command("user", "add", "shop", "--domain", "club.test")  # by root, while nobody runs: nothing becomes root's
    relay.command("domain", "add", "more.test", "--no-capture")
    owners = {p.stat().st_uid for p in (relay.path / "state").rglob("*")}
    assert owners == {int(nobody)}
    relay.start()
    relay.stop()


def test_as_a_service_it_gives_up_the_one_capability_it_has(release, relay_factory, dns, tmp_path):
    """As the systemd unit starts it: no root, CAP_NET_BIND_SERVICE, no_new_privs."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for parent in [tmp_path, *tmp_path.parents]:
        if str(parent).startswith("/tmp/") and parent.stat().st_uid == 0:
            parent.chmod(0o755)
    relay = relay_factory()
    subprocess.run(["chown", "-R", "nobody:nogroup", str(relay.path)], check=True)
    relay.config.write_text(relay.config.read_text().replace(f"127.0.0.1:{relay.submissions}", "127.0.0.1:986"))
    relay.submissions = 986
    program = tmp_path / "sealpost"
    beside = pathlib.Path(release).parent
    fetcher = beside / "sealpost-fetcher"
    for path in (beside / "sealpost", fetcher if fetcher.exists() else beside.parent / "libexec/sealpost/sealpost-fetcher"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name).chmod(0o755)
    wrapper = tmp_path / "serve"
    wrapper.write_text("#!/bin/sh\nexec setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all,+net_bind_service "
                       f"--ambient-caps=-all,+net_bind_service --no-new-privs {program} \"$@\"\n")
    wrapper.chmod(0o755)
    conftest.SEALPOST = str(wrapper)
    relay.start()
    s = status(relay.process.pid)
    assert all(int(s[key], 16) == 0 for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")) and s["Seccomp"] == "2"
    relay.client(implicit=True).quit()
    relay.stop()


def test_files_elsewhere_are_out_of_reach(relay):
    """Reload with a certificate outside of what Landlock allows: refused, and the old one stays."""
    away = pathlib.Path("/var/tmp") / f"sealpost-{os.getpid()}.pem"
    away.write_bytes((relay.path / "cert.pem").read_bytes())
    try:
        relay.config.write_text(relay.config.read_text().replace(str(relay.path / "cert.pem"), str(away)))
        relay.process.send_signal(1)
        wait_for(lambda: "reload_refused" in relay.log())
        relay.client().quit()
    finally:
        away.unlink()


def test_a_certificate_is_renewed_where_it_lies(release, relay_factory, tmp_path):
    """As ACME clients do it, outside of all that is readable anyway: a new file beside the old one, and a link that moves."""
    live, archive = tmp_path / "live", tmp_path / "archive"
    live.mkdir()
    archive.mkdir()
    certify(archive, "first")
    for suffix in ("crt", "key"):
        (live / f"mail.{suffix}").symlink_to(archive / f"first.{suffix}")
    relay = relay_factory()
    relay.config.write_text(relay.config.read_text().replace(str(relay.path / "cert.pem"), f"{live}/mail.crt")
                            .replace(str(relay.path / "key.pem"), f"{live}/mail.key"))
    relay.start()
    wait_for(lambda: re.search(r"landlock=[1-9]", relay.log()))
    before = subject(relay)
    certify(archive, "second", "rsa")
    for suffix in ("crt", "key"):
        (live / "new").symlink_to(archive / f"second.{suffix}")
        (live / "new").rename(live / f"mail.{suffix}")
    wait_for(lambda: "certificate_changed" in relay.log(), 30, 0.5)
    wait_for(lambda: subject(relay)[0] == "RSA", 10, 0.5)
    assert subject(relay)[2] != before[2] and "reload_refused" not in relay.log()


def test_the_build_is_hardened(release):
    """PIE, full RELRO, no executable stack, stack protector, FORTIFY, and on x86-64 control-flow enforcement."""
    def readelf(*options):
        return subprocess.run(["readelf", "-W", *options, release], capture_output=True, text=True, check=True).stdout

    assert "DYN (Position-Independent Executable file)" in readelf("-h")
    dynamic = readelf("-d")
    assert "BIND_NOW" in dynamic and "PIE" in dynamic and "RUNPATH" not in dynamic and "RPATH" not in dynamic
    segments = readelf("-l")
    assert "GNU_RELRO" in segments and re.search(r"GNU_STACK.* RW +0x", segments)
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols and len(set(re.findall(r"__\w+_chk@", symbols))) >= 3
    if os.uname().machine == "x86_64":  # our own objects; Debian's static libopendkim has none of it, and the linker says so
        tree = pathlib.Path(os.environ.get("SEALPOST_OBJECTS", pathlib.Path(release).parent))
        objects = [str(p) for p in tree.glob("CMakeFiles/*.dir/**/*.o")]
        notes = subprocess.run(["readelf", "-W", "-n", *objects], capture_output=True, text=True, check=True).stdout
        assert len(objects) > 100 and len(re.findall(r"x86 feature: .*IBT.*SHSTK", notes)) == len(objects)


def test_the_unit_leaves_little(release, tmp_path):
    unit = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "systemd" / "sealpost.service"
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--json=short", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    overall = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15", str(unit)],
                             capture_output=True, text=True)
    assert overall.returncode == 0, overall.stdout[-3000:]
    assert json.loads(done.stdout)
