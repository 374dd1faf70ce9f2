"""What README and contrib/speed tell people to type works: in a clone with nothing beside it, called from anywhere."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import SEALPOST

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = {page: (TOP / page).read_text() for page in ("README.md", "contrib/speed/README.md")}


def said(pattern):
    """What these pages say in code, in a block or in a line."""
    found = set()
    for text in PAGES.values():
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
        assert option in done.stdout or option == "--help", (line, option)


def test_output_that_cannot_be_written_is_a_failure():
    for words in (["--help"], ["user", "add", "--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SEALPOST, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 1 and "writing the output: No space left on device" in done.stderr, words
