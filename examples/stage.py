"""Prints the RUN commands of a Dockerfile's first stage as a shell script, with /out moved: python3 stage.py Dockerfile DIRECTORY

Fetching modules is left out: they are here, and the network may not be.
"""

import re
import sys


def main(dockerfile, directory):
    with open(dockerfile, encoding="utf-8") as f:
        text = re.sub(r"\\\n\s*", "", f.read())
    stages = 0
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        stages += word == "FROM"
        if stages == 1 and word == "ARG":
            name, _, value = rest.partition("=")
            print(f"{name}='{value}'")
        if stages == 1 and word == "RUN" and rest != "go mod download":
            print(rest.replace("/out/", directory + "/out/"))
    if stages != 2 or "\nENTRYPOINT [\"/cipherfold\"]\n" not in text or "\nFROM scratch\n" not in text:
        sys.exit("the Dockerfile is not one of two stages, of which the second is empty but for the program")


main(*sys.argv[1:])
