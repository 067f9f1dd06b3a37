#!/usr/bin/env python3
"""Writes tables.h from the files of the Unicode Character Database.

    make_tables.py /usr/share/unicode > lib/unicode/tables.h

The folder holds UnicodeData.txt, DerivedCoreProperties.txt, DerivedNormalizationProps.txt, SpecialCasing.txt and
Unihan_NumericValues.txt (or .bz2) of Unicode 15.0 or 15.1; Debian's package unicode-data has 15.0. What 15.1 added to it,
627 characters without case, numbers or decompositions, is added here.
"""
import bz2
import os
import re
import sys

LAST = 0x10FFFF
CATEGORIES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
WHITE_CONTROL = len(CATEGORIES)  # category Cc and White_Space: tab to carriage return, next line
WHITE_CONTROLS = list(range(0x09, 0x0E)) + [0x85]
ADDED_IN_15_1 = [(0x2FFC, 0x2FFF, "So"), (0x31EF, 0x31EF, "So"), (0x2EBF0, 0x2EE5D, "Lo")]
CHANGES_IN_NFC, CHANGES_IN_NFD, HAS_CASE_MAPPING = 0x20, 0x40, 0x80
BLOCK, GROUP = 16, 32  # code points, blocks
folder = sys.argv[1]


def lines(name):
    path = os.path.join(folder, name)
    opened = open(path, encoding="utf-8") if os.path.exists(path) else bz2.open(path + ".bz2", "rt", encoding="utf-8")
    with opened as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                yield line


def code_range(text):
    first, _, last = text.strip().partition("..")
    return int(first, 16), int(last or first, 16)


category = ["Cn"] * (LAST + 1)
combining = [0] * (LAST + 1)
decomposition = {}
numeric_type = {}  # "decimal", "digit" or "numeric"
upper, lower, title = {}, {}, {}


def read_unicode_data():
    first = None
    for line in lines("UnicodeData.txt"):
        f = line.split(";")
        code = int(f[0], 16)
        if f[1].endswith(", First>"):
            first = code
            continue
        for c in range(first if f[1].endswith(", Last>") else code, code + 1):
            category[c] = f[2]
        combining[code] = int(f[3])
        if f[5] and not f[5].startswith("<"):
            decomposition[code] = [int(x, 16) for x in f[5].split()]
        if f[6]:
            numeric_type[code] = "decimal"
        elif f[7]:
            numeric_type[code] = "digit"
        elif f[8]:
            numeric_type[code] = "numeric"
        if f[12]:
            upper[code] = int(f[12], 16)
        if f[13]:
            lower[code] = int(f[13], 16)
        title[code] = int(f[14] or f[12] or f[0], 16)
    for begin, end, kind in ADDED_IN_15_1:
        for c in range(begin, end + 1):
            assert category[c] in ("Cn", kind)
            category[c] = kind
    for line in lines("Unihan_NumericValues.txt"):
        code = int(line.split("\t")[0][2:], 16)
        numeric_type.setdefault(code, "numeric")


def properties(name, wanted):
    found = {p: set() for p in wanted}
    for line in lines(name):
        f = [x.strip() for x in line.split(";")]
        key = "; ".join(f[1:])
        if key in found:
            begin, end = code_range(f[0])
            found[key].update(range(begin, end + 1))
    return found


def ranges(codes):
    out = []
    for c in sorted(codes):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def stride_runs(mapping):
    """Runs of one difference, with code points one or two apart."""
    out = []
    for c, to in sorted(mapping.items()):
        if c == to:
            continue
        if out and out[-1][3] == to - c:
            first, last, stride, _ = out[-1]
            step = c - last
            if step <= 2 and (first == last or step == stride):
                out[-1][1:3] = [c, step]
                continue
        out.append([c, c, 1, to - c])
    return out


def emit(comment, declaration, items):
    print(f"\n// {comment}\nconstexpr {declaration} = {{")
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 120:
            print(line)
            line = "   "
        line += " " + item + ","
    print(line + "\n};")


def pairs(codes):
    return [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(codes)]


def special_cases():
    found = [{}, {}, {}]  # lower, title, upper
    for line in lines("SpecialCasing.txt"):
        f = [x.strip() for x in line.split(";")]
        if f[4]:
            continue  # depends on language or context
        code = int(f[0], 16)
        for table, simple, text in zip(found, (lower, title, upper), f[1:4]):
            to = [int(x, 16) for x in text.split()]
            if to != [simple.get(code, code)]:
                table[code] = to
    return found


read_unicode_data()
core = properties("DerivedCoreProperties.txt", ["Lowercase", "Uppercase", "Case_Ignorable"])
norm = properties("DerivedNormalizationProps.txt", ["Full_Composition_Exclusion", "NFC_QC; N", "NFC_QC; M", "NFD_QC; N"])
special_lower, special_title, special_upper = special_cases()
of_category = {k: {c for c in range(LAST + 1) if category[c] == k} for k in CATEGORIES}
numbers = of_category["Nd"] | of_category["Nl"] | of_category["No"]
assert of_category["Nd"] == {c for c, t in numeric_type.items() if t == "decimal"}
assert all((b - a + 1) % 10 == 0 for a, b in ranges(of_category["Nd"]))
assert numbers <= set(numeric_type)
assert core["Lowercase"] >= of_category["Ll"] and core["Uppercase"] >= of_category["Lu"]
ignorable = set().union(*(of_category[k] for k in ("Mn", "Me", "Cf", "Lm", "Sk")))
assert core["Case_Ignorable"] >= ignorable
mapped = set(lower) | set(upper) | {c for c, t in title.items() if t != c} | set(special_lower) | set(special_upper)

values = []
for c in range(LAST + 1):
    value = WHITE_CONTROL if c in WHITE_CONTROLS else CATEGORIES.index(category[c])
    if combining[c] or c in norm["NFC_QC; N"] or c in norm["NFC_QC; M"]:
        value |= CHANGES_IN_NFC
    if combining[c] or c in norm["NFD_QC; N"]:
        value |= CHANGES_IN_NFD
    if c in mapped:
        value |= HAS_CASE_MAPPING
    values.append(value)


def in_blocks(items, size):
    """The different blocks of `size` items, and the number of the block at each place."""
    blocks = {}
    numbers = [blocks.setdefault(tuple(items[i:i + size]), len(blocks)) for i in range(0, len(items), size)]
    return [item for block in blocks for item in block], numbers


block_values, block_of = in_blocks(values, BLOCK)
group_blocks, group_of = in_blocks(block_of, GROUP)
assert max(group_of) < 256 and max(block_of) < 65536

print("// The Unicode Character Database 15.1, as far as it is asked for. Generated by make_tables.py.")
print("// clang-format off\n#pragma once\n\n#include <cstdint>\n\nnamespace hearth::unicode::tables {\n")
print("struct Range {\n  uint32_t first, last;\n};")
print("/// Code points first, first + stride, ..., last; each maps to itself + difference.")
print("struct CaseRange {\n  uint32_t first, last, stride;\n  int32_t difference;\n};")
print("/// A mapping to up to three characters; unused places are 0.")
print("struct SpecialCase {\n  uint32_t code;\n  uint32_t to[3];\n};")
print(f"\nconstexpr uint32_t kBlockSize = {BLOCK}, kGroupSize = {GROUP};  // code points, blocks")
emit("Group of every 512 code points.", "uint8_t kGroupOf[]", map(str, group_of))
emit("Numbers of blocks, group by group.", "uint16_t kBlockOf[]", map(str, group_blocks))
emit("Category (low five bits, in the order of GeneralCategory) and flags of every code point, block by block.",
     "uint8_t kProperties[]", map(str, block_values))
emit("Lowercase, but not of category Ll.", "Range kOtherLower[]", pairs(core["Lowercase"] - of_category["Ll"]))
emit("Uppercase, but not of category Lu.", "Range kOtherUpper[]", pairs(core["Uppercase"] - of_category["Lu"]))
emit("Case_Ignorable, but not of category Mn, Me, Cf, Lm or Sk.", "Range kOtherCaseIgnorable[]",
     pairs(core["Case_Ignorable"] - ignorable))
emit("Numeric_Type=Digit.", "Range kDigit[]", pairs({c for c, t in numeric_type.items() if t == "digit"}))
emit("With a numeric value, but not of category Nd, Nl or No.", "Range kOtherNumeric[]", pairs(set(numeric_type) - numbers))
for name, mapping in (("kToUpper", upper), ("kToLower", lower)):
    emit("Simple mappings.", f"CaseRange {name}[]",
         [f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in stride_runs(mapping)])
differ = {c: t for c, t in title.items() if t != upper.get(c, c)}
for name, mapping, comment in (
        ("kSpecialUpper", special_upper, "Mappings to more than one character."),
        ("kSpecialLower", special_lower, "Mappings to more than one character."),
        ("kSpecialTitle", {**{c: [t] for c, t in differ.items()}, **special_title,
                           **{c: [title[c]] for c in special_upper if c not in special_title}},
         "Mappings that are not those to upper case.")):
    emit(comment, f"SpecialCase {name}[]",
         ["{" + f"0x{c:X}, {{" + ", ".join(f"0x{x:X}" if x else "0" for x in to + [0] * (3 - len(to))) + "}}"
          for c, to in sorted(mapping.items())])
assert all(len(d) <= 2 and not (set(d[1:]) & set(decomposition)) for d in decomposition.values())
ordered = sorted(decomposition)
emit("Canonical decompositions, one step each: the code point, the first and the second (or 0) that it stands for, of 21\n"
     "// bits each. Hangul syllables are computed.", "uint64_t kDecompositions[]",
     [f"0x{c << 42 | decomposition[c][0] << 21 | (decomposition[c] + [0])[1]:X}" for c in ordered])
composites = [i for i, c in enumerate(ordered) if c not in norm["Full_Composition_Exclusion"]]
composites.sort(key=lambda i: decomposition[ordered[i]])
emit("Indices of the decompositions that are composed again, by first and second code point.", "uint16_t kCompositions[]",
     [str(i) for i in composites])
runs = []
for c in range(LAST + 1):
    if c == 0 or combining[c] != combining[c - 1]:
        runs.append(f"0x{c << 8 | combining[c]:X}")
emit("Canonical combining classes: a code point << 8 | its class, which holds up to the next entry.",
     "uint32_t kCombiningClasses[]", runs)
print("\n}  // namespace hearth::unicode::tables\n// clang-format on")
print(f"{max(block_of) + 1} blocks, {len(ordered)} decompositions, {len(composites)} compositions, {len(runs)} classes",
      file=sys.stderr)
