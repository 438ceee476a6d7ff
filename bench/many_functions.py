#!/usr/bin/env python3
"""Writes the C source of a program with N functions, many_00000 to many_<N-1>, each of a few instructions. Called with a number K it
calls the first ten functions K times each; without one, nothing.

    many_functions.py N OUT"""
import sys


def main(count, out):
    with open(out, "w") as file:
        file.write("#include <stdio.h>\n#include <stdlib.h>\nstatic volatile long sink;\n")
        for i in range(count):
            file.write(f"__attribute__((noinline)) long many_{i:05}(long x) {{ return sink = x + {i}; }}\n")
        file.write("int main(int argc, char **argv) {\n  long n = argc > 1 ? atol(argv[1]) : 0;\n  for (long i = 0; i < n; ++i) {\n")
        for i in range(min(count, 10)):
            file.write(f"    many_{i:05}(i);\n")
        file.write('  }\n  printf("done %ld\\n", n);\n  return 0;\n}\n')


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
