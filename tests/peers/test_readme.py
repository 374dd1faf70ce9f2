"""What README and the pages of contrib tell people to type works: in a clone with nothing beside it, called from anywhere."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

from conftest import SEALPOST

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = {page.relative_to(TOP).as_posix(): page.read_text() for page in
         [TOP / "README.md", TOP / "contrib/speed/README.md", *sorted(TOP.glob("contrib/*.md")), *sorted(TOP.glob("contrib/doc/*.md"))]}
MANUAL = (TOP / "contrib/man/sealpost.conf.5").read_text().replace("\\-", "-")


def said(pattern):
    """What these pages say in code, in a block or in a line."""
    found = set()
    for text in PAGES.values():
        text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        for code in re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (\S.*)$", text, re.M):
            match = re.match(pattern, code)
            if match:
                found.add(match[0])
    return sorted(found)


def scripts():
    """Programs of the repository: not the folders and the texts."""
    names = {name.rstrip("/") for name in said(r"(tests|contrib)/[\w/.-]+")}
    return sorted(name for name in names if os.access(TOP / name, os.X_OK) and (TOP / name).is_file())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    place = tmp_path_factory.mktemp("alone") / "clone"
    place.mkdir()
    subprocess.run(f"git -c safe.directory='*' -C {TOP} ls-files -co --exclude-standard -z | tar -C {TOP} -c --null --ignore-failed-read "
                   f"--files-from=- 2>/dev/null | tar -C {place} -x && git -C {place} init -q && git -C {place} add -A", shell=True, check=True)
    return place


def run(*arguments, cwd, **environment):
    return subprocess.run([str(a) for a in arguments], cwd=cwd, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


def test_nothing_is_named_that_is_not_there():
    for name in said(r"(tests|contrib)/[\w/.-]+"):
        assert (TOP / name.rstrip("/.")).exists(), name
    assert len(scripts()) >= 12, scripts()


@pytest.mark.parametrize("script", scripts())
def test_each_script_says_how_it_is_called(clone, tmp_path, script):
    done = run(clone / script, "--help", cwd=tmp_path)
    assert done.returncode == 0 and script in done.stdout + done.stderr or "usage: " + script.split("/")[-1] in done.stdout, (
        done.stdout, done.stderr)
    assert not list(tmp_path.iterdir())


def test_the_lint_runs_in_a_clone(clone, tmp_path):
    done = run(clone / "tests/lint", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_picture_is_drawn_from_what_was_measured(clone, tmp_path):
    before = {p.name: p.read_text() for p in (clone / "contrib/speed").iterdir()}
    done = run(clone / "tests/bench/plot", clone / "contrib/speed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_text() for p in (clone / "contrib/speed").iterdir()} == before


def test_without_vectors_their_tests_are_skipped_and_say_so(clone, tmp_path):
    done = run("/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", clone / "tests/peers/test_spf.py",
               cwd=tmp_path, CI="", SEALPOST=os.path.abspath(SEALPOST))
    assert done.returncode == 0 and "vectors are not here" in done.stdout and " failed" not in done.stdout, done.stdout
    done = run("/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", clone / "tests/peers/test_spf.py",
               cwd=tmp_path, CI="true", SEALPOST=os.path.abspath(SEALPOST))
    assert done.returncode == 1 and "vectors are missing" in done.stdout, done.stdout


@pytest.mark.parametrize("line", said(r"(build/)?sealpost [a-z].*"))
def test_each_command_and_option_is_there(tmp_path, line):
    words = re.sub(r"^(build/)?sealpost ", "", line).split()
    done = run(os.path.abspath(SEALPOST), *[w for w in words if re.fullmatch(r"[a-z-]+", w) and not w.startswith("-")][:2], "--help", cwd=tmp_path)
    if done.returncode != 0:
        done = run(os.path.abspath(SEALPOST), words[0], "--help", cwd=tmp_path)
    assert done.returncode == 0, (line, done.stderr)
    for option in re.findall(r"--[a-z][a-z-]*", line):
        assert option in done.stdout or option in ("--help", "--json"), (line, option)


# What a page's words stand for in a test. Those that make a relay, run one or send real mail are shown elsewhere.
MEANT = {"FILE": "message.eml", "D": "dest.test", "A": "hello@club.test", "HASH": "0" * 64, "SELECTOR": "none", "TOKEN": "none",
         "URL": "https://app.example/hook"}
ELSEWHERE = ("init", "serve", "sink", "send-test", "COMMAND")


def as_typed(line, id):
    """The words of a line that is a whole command; None for one that is not."""
    words = shlex.split(re.sub(r"^(build/)?sealpost ", "", line.split(" #")[0]))
    if words[0] in ELSEWHERE or "…" in line:
        return None
    words = [MEANT.get(word, word).replace("club.example", "club.test") for word in words]
    return [id if word == "ID" else "app" if word == "NAME" else word for word in words]


def test_every_command_is_understood_as_it_is_printed(relay, tmp_path):
    """Kind: an example with a word that the program does not take. It may find nothing (1); wrong usage is 2."""
    (tmp_path / "message.eml").write_text("From: <hello@club.test>\nSubject: x\n\nx\n")
    (tmp_path / "list.csv").write_text("a@dest.test\n")
    id = relay.send()
    ran, wrong = 0, []
    for line in said(r"sealpost [a-z].*"):
        words = as_typed(line, id)
        if not words:
            continue
        if words[:2] == ["suppress", "import"]:
            words[2] = "list.csv"
        command = [os.path.abspath(SEALPOST), "-c", str(relay.config), *words]
        endless = {"--watch", "--follow", "--check"} & set(words)
        try:
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=2 if endless else 60,
                                  stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            assert endless, line
            continue
        if done.returncode == 2 and all(re.fullmatch(r"[a-z]+", word) for word in words):
            continue  # its name alone
        if done.returncode not in (0, 1) or "usage:" in done.stderr:
            wrong.append((line, done.returncode, done.stderr))
        ran += 1
    assert not wrong
    assert ran > 40, ran


def configurations():
    """Blocks of settings, as they are printed."""
    found = []
    for page, text in PAGES.items():
        for block in re.findall(r"(?:^    .*\n)+", text, re.M):
            lines = re.sub(r"^    ", "", block, flags=re.M)
            if re.match(r"(hostname|http|route|source|stream|alert)\b", lines):
                found.append(pytest.param(lines, id=f"{page}-{lines.split()[0]}"))
    return found


@pytest.mark.parametrize("settings", configurations())
def test_the_settings_that_pages_print_are_valid(tmp_path, settings):
    """Added to what init makes, or instead of it when they are all that is needed."""
    program = os.path.abspath(SEALPOST)
    done = run(program, "init", "club.example", "--dir", tmp_path / "relay", "--hostname", "mail.club.example", "--public-ip", "192.0.2.10",
               cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = tmp_path / "relay" / "sealpost.conf"
    (tmp_path / "password").write_text("secret\n")
    settings = settings.replace("/etc/sealpost/password", str(tmp_path / "password")).replace("/etc/sealpost", str(tmp_path / "relay"))
    settings = settings.replace("/usr/local/bin/page-me", "/bin/true").replace("/usr/local/bin/token", "/bin/true")
    settings = settings.replace("192.0.2.1", "127.0.2.1").replace("2001:db8::11", "::1")  # this machine has them
    for name, made in (("mta-sts.pem", "cert.pem"), ("mta-sts.key", "key.pem")):
        (tmp_path / "relay" / name).write_bytes((tmp_path / "relay" / made).read_bytes())
    if "hostname" in settings:
        config.write_text(f'state_dir = "{tmp_path}/relay/state"\n{settings}')
    else:
        config.write_text(config.read_text() + settings)
    assert len(settings.splitlines()) <= 10
    done = run(program, "-c", config, "config", "check", cwd=tmp_path)
    assert done.returncode == 0, (settings, done.stdout, done.stderr)


def test_every_setting_that_pages_name_is_in_the_manual():
    """`limits { storage }`, `tls = "require"`: the section, and its setting."""
    sections = dict(re.findall(r"^\.SS (\w+).*?\n(.*?)(?=^\.S[SH] |\Z)", MANUAL, re.M | re.S))
    seen = 0
    for code in said(r"\w+ \{ .*\}$"):
        section, inside = re.match(r"(\w+) \{ (.*?) ?\}$", code).groups()
        assert section in sections, code
        for name in re.findall(r"\w+(?= =)", inside) or re.findall(r"\w+", re.sub(r"[{\"].*", "", inside)):
            assert re.search(rf"\b{name}\b", sections[section]), code
            seen += 1
    for code in said(r"\w+ = \"\w+\"$"):
        name, value = re.match(r"(\w+) = \"(\w+)\"", code).groups()
        assert re.search(rf"\b{name}\b", MANUAL) and f'"{value}"' in MANUAL, code
        seen += 1
    assert seen > 10, seen


def test_words_of_the_log_are_those_of_the_program():
    table = PAGES["contrib/doc/operations.md"].split("Words of the log that need action:")[1].split("\n## ")[0]
    words = [word for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for word in re.findall(r"`(\w+)`", row)]
    sources = "".join(path.read_text() for path in TOP.glob("relay/**/*.c"))
    assert len(words) > 8
    for word in words:
        assert f'"{word}"' in sources, word


def test_options_of_the_build_exist():
    cmake = (TOP / "CMakeLists.txt").read_text()
    for text in PAGES.values():
        for option in re.findall(r"-D(SEALPOST_\w+)=", text):
            assert f"option({option} " in cmake, option


def test_what_a_single_test_is_called():
    """As CONTRIBUTING runs one alone."""
    lines = said(r"ctest .*-R .*") + said(r"build-debug/tests/.*") + said(r".*pytest .*")
    assert len(lines) >= 3
    for line in lines:
        for kind, name in re.findall(r"-R (unit|replay)/(\w+)", line):
            assert list((TOP / "tests" / kind).glob(f"**/{name}*")), line
        for name in re.findall(r"build-debug/tests/(\w+)", line):
            assert (TOP / "tests/unit" / f"{name}.c").exists(), line
        for file, name in re.findall(r"(tests/peers/\w+\.py) -k (\w+)", line):
            assert name in (TOP / file).read_text(), line


def test_output_that_cannot_be_written_is_a_failure():
    for words in (["--help"], ["user", "add", "--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SEALPOST, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 1 and "writing the output: No space left on device" in done.stderr, words
