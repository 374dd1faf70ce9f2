#!/usr/bin/python3
"""What the build refuses in the rules of replies: check_rules.py CHECK_RULES"""

import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PROVIDERS = TOP / "policy/queue/mx_providers.txt"
WORDS = "rule words\ncategory mailbox_unknown\ntext no such user\nyes 550 No such user\nno 550 Spam\n\n"
CODE = "rule code\ncategory mailbox_unknown\nenhanced 5.1.1\nyes 550 5.1.1 x\nno 550 5.1.2 x\n\n"
PROVIDER = "rule its\nprovider google\ncategory greylisted\ntext later\nyes 450 later\nno 450 now\n\n"

# (label, rules, the complaint, or None)
CASES = [
    ("good rules", PROVIDER + WORDS + CODE, None),
    ("an example of another stage", WORDS.replace("no 550 Spam", "no data 550 Spam\nyes data 550 No such user"), None),
    ("an example that does not fit", WORDS.replace("yes 550 No", "yes 550 One"), "words: does not decide: 550 One such user"),
    ("one that another rule decides", WORDS + CODE.replace("5.1.1 x", "5.1.1 No such user"), "code: does not decide: 550 5.1.1 No such user"),
    ("one that must not fit", WORDS.replace("no 550 Spam", "no 550 no such user"), "words: decides: 550 no such user"),
    ("no example", WORDS.replace("yes 550 No such user\n", ""), "words: wants an example"),
    ("no other example", WORDS.replace("no 550 Spam\n", ""), "words: wants an example"),
    ("an example that is no reply", WORDS.replace("yes 550", "yes"), "words: not a reply: No such user"),
    ("a provider that nobody knows", PROVIDER.replace("google", "gogle"), "mx_providers.txt does not have gogle"),
    ("codes before words", CODE + WORDS, "words: stands too late"),
    ("words before a provider", WORDS + PROVIDER, "its: stands too late"),
    ("the same name again", WORDS + WORDS, "words: there are two"),
    ("suppression by 5.7 alone", CODE.replace("5.1.1", "5.7.1"), "code: suppresses by 5.7.z alone"),
    ("neither words nor code", WORDS.replace("text no such user\n", "code 550\n"), "words: has neither"),
    ("capitals", WORDS.replace("such", "SUCH"), "words: no word has capitals"),
    ("an empty part", WORDS.replace("such", "such|"), "words: an empty part"),
    ("a gap at the beginning", WORDS.replace("text no", "text .. no"), "words: begins with no word"),
    ("too many gaps", WORDS.replace("no such user\ny", "no .. such .. user .. here .. now\ny"), "words: too long"),
    ("a category that is none", WORDS.replace("mailbox_unknown", "spam"), "means nothing"),
    ("a head behind the words", WORDS.replace("yes 550 No such user", "yes 550 No such user\nstage rcpt"), "words: behind its head: stage"),
    ("no rules", "# none\n", ""),
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / "rules.txt"
        for label, rules, complaint in CASES:
            path.write_text(rules)
            done = subprocess.run([sys.argv[1], path, PROVIDERS], capture_output=True, text=True)
            right = done.returncode == 0 if complaint is None else done.returncode == 1 and complaint in done.stderr
            if not right:
                failed += 1
                print(f"{label}: exit {done.returncode}: {done.stdout}{done.stderr}")
        unreadable = subprocess.run([sys.argv[1], path.with_name("none"), PROVIDERS], capture_output=True, text=True)
        failed += unreadable.returncode != 2
    print(f"{len(CASES) + 1} cases, {failed} wrong")
    return 1 if failed else 0


sys.exit(main())
