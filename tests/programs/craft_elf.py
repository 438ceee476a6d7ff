#!/usr/bin/env python3
"""Writes a small ELF executable of another architecture or word size, to be refused.

    craft_elf.py OUT --machine 183 --bits 64        183: aarch64, 3: i386, 40: arm

It has a file header, one loadable segment and a symbol table with one function, 'elsewhere'."""
import argparse
import struct


def build(machine, bits):
    wide = bits == 64
    header_size, phent, shent, syment = (64, 56, 64, 24) if wide else (52, 32, 40, 16)
    base = 0x400000
    code = b"\x90" * 16
    strings = b"\0elsewhere\0"
    names = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    code_at = header_size + phent
    symbols_at = code_at + len(code)
    entry = base + code_at
    symbol = struct.pack("<IBBHQQ", 1, 0x12, 0, 1, entry, 16) if wide else struct.pack("<IIIBBH", 1, entry, 16, 0x12, 0, 1)
    symbols = b"\0" * syment + symbol
    strings_at = symbols_at + len(symbols)
    names_at = strings_at + len(strings)
    sections_at = (names_at + len(names) + 7) // 8 * 8

    def section(name, kind, flags, address, offset, size, link=0, info=0, entry_size=0):
        return struct.pack("<IIQQQQIIQQ" if wide else "<IIIIIIIIII", name, kind, flags, address, offset, size, link, info, 1, entry_size)

    sections = b"".join([
        section(0, 0, 0, 0, 0, 0),
        section(1, 1, 6, entry, code_at, len(code)),
        section(7, 2, 0, 0, symbols_at, len(symbols), 3, 1, syment),
        section(15, 3, 0, 0, strings_at, len(strings)),
        section(23, 3, 0, 0, names_at, len(names)),
    ])
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1, 0]) + b"\0" * 8
    header = ident + struct.pack("<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH", 2, machine, 1, entry, header_size, sections_at, 0,
                                 header_size, phent, 1, shent, 5, 4)
    size = names_at + len(names)
    if wide:
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
    else:
        segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
    body = header + segment + code + symbols + strings + names
    return body.ljust(sections_at, b"\0") + sections


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--machine", type=int, required=True)
    parser.add_argument("--bits", type=int, choices=[32, 64], required=True)
    options = parser.parse_args()
    with open(options.out, "wb") as out:
        out.write(build(options.machine, options.bits))


if __name__ == "__main__":
    main()
