"""Talks with a model: chat.py MODEL, one line of standard input after the other."""
import sys

import hearth


def main():
    try:
        model = hearth.Model(sys.argv[1] if len(sys.argv) > 1 else "model.gguf")
        chat = hearth.Chat(hearth.Session(model))
        for line in sys.stdin:
            chat.say(line.rstrip("\n"), on_text=lambda piece: print(piece, end="", flush=True))
            print()
    except hearth.Error as error:
        sys.exit(str(error))


main()
