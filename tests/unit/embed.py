#!/usr/bin/python3
"""What contrib/embed.cmake makes of files of SQL, and that a fault in one stops the build with its file and line.
Usage: embed.py CMAKE
"""

import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
GOOD = "-- a.sql - Some.\n\n-- :name ONE\n-- Why.\nSELECT a -- of b\nFROM b;\n"

# (label, statements, schema, the complaint: after the file, or None)
CASES = [
    ("a good file", {"a.sql": GOOD}, {}, None),
    ("the same name again", {"a.sql": GOOD + "\n-- :name ONE\nSELECT 2;\n"}, {}, "a.sql:8: ONE again: it is at .*a.sql:3"),
    ("the same name in another file", {"a.sql": GOOD, "b.sql": "-- :name ONE\nSELECT 2;\n"}, {},
     "b.sql:1: ONE again: it is at .*a.sql:3"),
    ("a header of another word", {"a.sql": GOOD + "-- :named TWO\nSELECT 2;\n"}, {}, "a.sql:7: a header is"),
    ("a name in small letters", {"a.sql": "-- :name one\nSELECT 2;\n"}, {}, "a.sql:1: a header is"),
    ("a header without a name", {"a.sql": "\n-- :name\nSELECT 2;\n"}, {}, "a.sql:2: a header is"),
    ("two names", {"a.sql": "-- :name ONE TWO\nSELECT 2;\n"}, {}, "a.sql:1: a header is"),
    ("a header without its blank", {"a.sql": "--:name ONE\nSELECT 2;\n"}, {}, "a.sql:1: a header is"),
    ("a statement without a header", {"a.sql": "-- a.sql - Some.\nSELECT 1;\n"}, {}, "a.sql:2: a statement without a header"),
    ("a header without a statement", {"a.sql": "-- :name ONE\n-- Why.\n-- :name TWO\nSELECT 2;\n"}, {},
     "a.sql:1: ONE must be one statement"),
    ("a header at the end", {"a.sql": GOOD + "-- :name TWO\n"}, {}, "a.sql:7: TWO must be one statement"),
    ("two statements under one name", {"a.sql": "-- :name ONE\nSELECT 1;\nSELECT 2;\n"}, {}, "a.sql:1: ONE must be one statement"),
    ("no semicolon", {"a.sql": "-- :name ONE\nSELECT 1\n"}, {}, "a.sql:1: ONE must be one statement"),
    ("no newline at the end", {"a.sql": GOOD.rstrip()}, {}, None),
    ("a part", {"a.sql": "-- :part C\n-- Why.\na,\nb\n-- :name ONE\nSELECT {C}\nFROM b;\n"}, {}, None),
    ("a part that is not there", {"a.sql": "\n-- :name ONE\nSELECT {C};\n"}, {}, "a.sql:2: there is no part C"),
    ("a part of another file", {"a.sql": "-- :part C\n1\n-- :name ONE\nSELECT {C};\n", "b.sql": "-- :name TWO\nSELECT {C};\n"}, {},
     "b.sql:1: there is no part C"),
    ("a part that nothing uses", {"a.sql": "-- :part C\n1\n" + GOOD}, {}, "a.sql:1: nothing uses the part C"),
    ("a part with a semicolon", {"a.sql": "-- :part C\n1;\n-- :name ONE\nSELECT {C}\n"}, {}, "a.sql:1: the part C must be"),
    ("a string over two lines", {"a.sql": "-- :name ONE\nSELECT 'a\nb';\n"}, {}, "a.sql:2: a string must end on its line"),
    ("a string like a comment", {"a.sql": "-- :name ONE\nSELECT 'a--b';\n"}, {}, "a.sql:2: a string must end on its line"),
    ("steps", {"a.sql": GOOD}, {"0001.sql": "CREATE TABLE t(\n  a, -- why\n  b\n);\n", "0002.sql": "-- Why.\nUPDATE t\nSET a = ';';\n"}, None),
    ("a step left out", {"a.sql": GOOD}, {"0001.sql": "CREATE TABLE t(a);\n", "0003.sql": "CREATE TABLE u(a);\n"},
     "0003.sql:1: the file of step 2 must be 0002.sql"),
    ("an unfinished step", {"a.sql": GOOD}, {"0001.sql": "CREATE TABLE t(a)\n"}, "0001.sql:1: a step must be statements"),
    ("a step that numbers itself", {"a.sql": GOOD}, {"0001.sql": "CREATE TABLE t(a);\nPRAGMA user_version = 2;\n"},
     "0001.sql:2: a step must be statements"),
]


def run(cmake, statements, schema):
    """(exit status, what was said on one line, {array: text}, names)"""
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        for name, text in {**statements, **schema}.items():
            (place / name).write_text(text)
        (place / "it.cmake").write_text(
            f"cmake_minimum_required(VERSION 3.25)\ninclude({TOP}/contrib/embed.cmake)\n"
            f"embed_sql(STATEMENTS {' '.join(str(place / name) for name in statements)} "
            f"SCHEMA {' '.join(str(place / name) for name in schema)})\n")
        done = subprocess.run([cmake, "-P", "it.cmake"], cwd=place, capture_output=True, text=True, check=False)
        said = re.sub(r"\s+", " ", done.stderr)
        if done.returncode != 0:
            return done.returncode, said, {}, []
        texts = (place / "sql_texts.c").read_text()
        arrays = {name: bytes(int(b, 16) for b in array.rstrip("0").rstrip(",").split(",")).decode()
                  for name, array in re.findall(r"text_(\w+)\[\] = \{(.*?)\}", texts)}
        return 0, said, arrays, re.findall(r"SQL_(\w+),", (place / "sql_names.h").read_text())


def main():
    wrong = 0
    made = {}
    for label, statements, schema, complaint in CASES:
        status, said, arrays, names = run(sys.argv[1], statements, schema)
        made[label] = (arrays, names)
        if (status != 0) != (complaint is not None) or (complaint and not re.search(complaint, said)):
            print(f"{label}: {said or 'nothing is said'}")
            wrong += 1
    for label, expected, expected_names in [
            ("a good file", {"ONE": "SELECT a FROM b"}, ["ONE"]),
            ("no newline at the end", {"ONE": "SELECT a FROM b"}, ["ONE"]),
            ("a part", {"ONE": "SELECT a, b FROM b"}, ["ONE"]),
            ("steps", {"ONE": "SELECT a FROM b", "schema_1": "CREATE TABLE t(a, b); PRAGMA user_version = 1;",
                       "schema_2": "UPDATE t SET a = ';'; PRAGMA user_version = 2;"}, ["ONE"])]:
        if made[label] != (expected, expected_names):
            print(f"{label}: {made[label]}")
            wrong += 1
    print(f"{len(CASES)} cases, {wrong} wrong")
    return wrong > 0


sys.exit(main())
