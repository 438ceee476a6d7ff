"""Recursion through sorted(): each level of Python goes through a C function of the interpreter and back.

    python3 recurse.py [DEPTH]      (100 unless given)
"""
import sys


def descend(depth):
    """Goes `depth` levels down, each by way of sorted() calling a key function, and counts the levels on the way up."""
    if depth == 0:
        return 0
    levels = []
    sorted([depth], key=lambda d: levels.append(descend(d - 1)) or 0)
    return levels[0] + 1


def main():
    depth = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 4 * depth + 100))
    print(f"depth {descend(depth)}")


if __name__ == "__main__":
    main()
