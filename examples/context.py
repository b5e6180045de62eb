"""Copies what `docker build` would send to the daemon: python3 context.py .dockerignore DIRECTORY

Patterns are read as Docker reads them (later ones win, ! keeps, ** is any number of folders), as far as our file uses them.
"""

import os
import re
import shutil
import sys


def pattern(text):
    """The regular expression of a pattern, which also matches what is below."""
    parts = []
    for piece in text.strip("/").split("/"):
        if piece == "**":
            parts.append(r"(?:.*/)?")
        else:
            parts.append(re.escape(piece).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "/")
    return re.compile("".join(parts).rstrip("/") + r"(?:/.*)?$")


def main(ignore, target):
    rules = []
    with open(ignore, encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if line and not line.startswith("#"):
                rules.append((line.startswith("!"), pattern(line.lstrip("!"))))
    for folder, folders, files in os.walk("."):
        folders[:] = [f for f in folders if f != ".git"]
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), ".")
            kept = True
            for keep, expression in rules:
                if expression.match(path):
                    kept = keep
            if kept:
                os.makedirs(os.path.join(target, os.path.dirname(path)), exist_ok=True)
                shutil.copy(path, os.path.join(target, path))


main(*sys.argv[1:])
