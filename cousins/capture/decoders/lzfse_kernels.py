"""Numba kernels of the LZFSE decoder: bit streams, entropy tables and copies, with bounds checks.

An entropy-coded stream is written forwards and read backwards: as one little-endian number whose highest bits come
first. A table of `states` entries holds for each state the symbol, the number of bits to read and what to add to
them to get the next state (asymmetric numeral systems, tabled: Duda, arXiv:1311.2540).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cousins.geometry import Array

SYMBOL_COUNTS = (20, 20, 64, 256)
"""Number of codes for literal runs, match lengths, distances, and of literal bytes."""
STATE_COUNTS = (64, 64, 256, 1024)
"""Number of states of their tables."""

_RUN_BITS = np.array([0] * 16 + [2, 3, 5, 8])
_LENGTH_BITS = np.array([0] * 16 + [3, 5, 8, 11])
_DISTANCE_BITS = np.repeat(np.arange(16), 4)
_RUN_BASE = np.concatenate([[0], np.cumsum(2**_RUN_BITS)[:-1]])
_LENGTH_BASE = np.concatenate([[0], np.cumsum(2**_LENGTH_BITS)[:-1]])
_DISTANCE_BASE = np.concatenate([[0], np.cumsum(2**_DISTANCE_BITS)[:-1]])
_SHORT_BITS = np.array([2, 3, 2, 5, 2, 3, 2, 8, 2, 3, 2, 5, 2, 3, 2, 14] * 2)
_SHORT_VALUES = np.array(
    [0, 2, 1, 4, 0, 3, 1, -1, 0, 2, 1, 5, 0, 3, 1, -1, 0, 2, 1, 6, 0, 3, 1, -1, 0, 2, 1, 7, 0, 3, 1, -1]
)
"""Prefix code of packed frequencies by its lowest five bits; -1 continues with 4 or 10 bits."""


@njit(cache=True)
def unpack_frequencies(packed: Array, frequencies: Array) -> bool:
    """Fill `frequencies` [n] from their prefix code, lowest bits first; nothing packed leaves zeros."""
    if len(packed) == 0:
        return True
    end = 8 * len(packed)
    position = 0
    for index in range(len(frequencies)):
        word = np.int64(0)
        for byte in range(3):
            byte_index = (position >> 3) + byte
            if byte_index < len(packed):
                word |= np.int64(packed[byte_index]) << (8 * byte)
        word >>= position & 7
        length = _SHORT_BITS[word & 31]
        value = _SHORT_VALUES[word & 31]
        if length == 8:
            value = 8 + ((word >> 4) & 0xF)
        elif length == 14:
            value = 24 + ((word >> 4) & 0x3FF)
        position += length
        if position > end:
            return False
        frequencies[index] = value
    return end - position < 8


@njit(cache=True)
def _decoding_table(frequencies: Array, states: int) -> Array:
    """Return (bits, next state's base, symbol) per state, int64 [states, 3]; bits -1 marks states that never occur."""
    table = np.full((states, 3), -1, np.int64)
    start = 0
    for symbol in range(len(frequencies)):
        frequency = frequencies[symbol]
        if frequency == 0:
            continue
        if start + frequency > states:
            return table[:0]
        bits = 0
        while (frequency << bits) < states:
            bits += 1
        long_count = ((2 * states) >> bits) - frequency
        for index in range(frequency):
            row = table[start + index]
            if index < long_count:
                row[0] = bits
                row[1] = ((frequency + index) << bits) - states
            else:
                row[0] = bits - 1
                row[1] = (index - long_count) << (bits - 1)
            row[2] = symbol
        start += frequency
    return table


@njit(cache=True)
def _read_bits(stream: Array, position: int, count: int) -> int:
    """Return `count` ≤ 24 bits of the stream from bit `position` upwards."""
    word = np.int64(0)
    first = position >> 3
    for byte in range(4):
        if first + byte < len(stream):
            word |= np.int64(stream[first + byte]) << (8 * byte)
    return int((word >> (position & 7)) & ((1 << count) - 1))


@njit(cache=True)
def _decode_literals(stream: Array, bits: int, count: int, states: Array, frequencies: Array) -> Array:
    """Return literal bytes, four states in turn; an empty array when the stream is damaged."""
    out = np.empty(count, np.uint8)
    table = _decoding_table(frequencies, 1024)
    position = 8 * len(stream) + bits
    for index in range(count):
        state = states[index & 3]
        if state >= len(table) or table[state, 0] < 0:
            return out[:0]
        length = table[state, 0]
        position -= length
        if position < 0:
            return out[:0]
        states[index & 3] = table[state, 1] + _read_bits(stream, position, length)
        out[index] = table[state, 2]
    return out


@njit(cache=True)
def _copy_match(out: Array, write_index: int, end: int, distance: int, length: int) -> int:
    """Repeat `length` bytes from `distance` back; return the new position or -1 when that leaves the output."""
    if length == 0:
        return write_index
    if distance < 1 or distance > write_index or write_index + length > end:
        return -1
    for index in range(write_index, write_index + length):
        out[index] = out[index - distance]
    return write_index + length


@njit(cache=True)
def decode_block(
    literal_stream: Array,
    literal_bits: int,
    literal_count: int,
    match_stream: Array,
    match_bits: int,
    match_count: int,
    states: Array,
    frequencies: Array,
    out: Array,
    start: int,
    end: int,
) -> int:
    """Decode one entropy-coded block to `out[start:end]`; return the number of bytes written, -1 if it is damaged.

    `states` [7] are the initial states of literal runs, match lengths, distances and the four literal streams.
    """
    if not (-7 <= literal_bits <= 0 and -7 <= match_bits <= 0):
        return -1
    literals = _decode_literals(literal_stream, literal_bits, literal_count, states[3:], frequencies[104:])
    if len(literals) != literal_count:
        return -1
    tables = (
        _decoding_table(frequencies[:20], 64),
        _decoding_table(frequencies[20:40], 64),
        _decoding_table(frequencies[40:104], 256),
    )
    values = np.zeros(3, np.int64)
    position = 8 * len(match_stream) + match_bits
    literals_used, write_index, distance = 0, start, 0
    for _ in range(match_count):
        for kind in range(3):
            position = _read_value(match_stream, position, tables[kind], states, kind, values)
            if position < 0:
                return -1
        run = values[0]
        if literals_used + run > literal_count or write_index + run > end:
            return -1
        out[write_index : write_index + run] = literals[literals_used : literals_used + run]
        literals_used, write_index = literals_used + run, write_index + run
        distance = values[2] if values[2] else distance
        write_index = _copy_match(out, write_index, end, distance, values[1])
        if write_index < 0:
            return -1
    return write_index - start


@njit(cache=True)
def _read_value(stream: Array, position: int, table: Array, states: Array, kind: int, values: Array) -> int:
    """Read one value of a kind (0 run, 1 length, 2 distance); return the new position, -1 when damaged."""
    state = states[kind]
    if state < 0 or state >= len(table) or table[state, 0] < 0:
        return -1
    symbol = table[state, 2]
    if kind == 0:
        extra, base = _RUN_BITS[symbol], _RUN_BASE[symbol]
    elif kind == 1:
        extra, base = _LENGTH_BITS[symbol], _LENGTH_BASE[symbol]
    else:
        extra, base = _DISTANCE_BITS[symbol], _DISTANCE_BASE[symbol]
    length = table[state, 0] + extra
    position -= length
    if position < 0:
        return -1
    bits_read = _read_bits(stream, position, length)
    states[kind] = table[state, 1] + (bits_read >> extra)
    values[kind] = base + (bits_read & ((1 << extra) - 1))
    return position


@njit(cache=True)
def decode_lzvn(source: Array, out: Array, start: int, end: int) -> int:
    """Decode LZVN byte codes [n] to `out[start:end]`; return the number of bytes written, -1 if they are damaged."""
    write_index, position, distance = start, 0, 0
    fields = np.zeros(4, np.int64)
    while position < len(source):
        kind = source[position]
        if kind == 0x06:
            return write_index - start
        if not _lzvn_fields(source, position, fields):
            return -1
        run, length = fields[0], fields[1]
        distance = fields[2] if fields[2] >= 0 else distance
        position += fields[3]
        if position + run > len(source) or write_index + run > end:
            return -1
        out[write_index : write_index + run] = source[position : position + run]
        position, write_index = position + run, write_index + run
        write_index = _copy_match(out, write_index, end, distance, length)
        if write_index < 0:
            return -1
    return -1


@njit(cache=True)
def _lzvn_fields(source: Array, position: int, fields: Array) -> bool:
    """Split the code at `position` into (literals, match length, distance or -1 for the last one, its bytes)."""
    code = np.int64(source[position])
    bytes_left = len(source) - position
    second = np.int64(source[position + 1]) if bytes_left > 1 else 0
    third = np.int64(source[position + 2]) if bytes_left > 2 else 0
    high, low = code >> 4, code & 0xF
    if high == 0x7 or high == 0xD:
        return False
    if high == 0xE or high == 0xF:
        size = 1 if low else 2
        count = low if low else second + 16
        fields[0], fields[1] = (count, 0) if high == 0xE else (0, count)
        fields[2], fields[3] = -1, size
    elif high == 0xA or high == 0xB:
        fields[0], fields[1] = code >> 3 & 3, ((code & 7) << 2 | second & 3) + 3
        fields[2], fields[3] = second >> 2 | third << 6, 3
    else:
        _short_code(code, second, third, fields)
    return fields[3] <= bytes_left and fields[3] > 0


@njit(cache=True)
def _short_code(code: int, second: int, third: int, fields: Array) -> None:
    """Split a code of the form LLMMMDDD into `fields` [4]."""
    fields[0], fields[1] = code >> 6, (code >> 3 & 7) + 3
    low = code & 7
    if low == 7:
        fields[2], fields[3] = second | third << 8, 3
    elif low < 6:
        fields[2], fields[3] = low << 8 | second, 2
    elif code >= 0x40:
        fields[2], fields[3] = -1, 1
    elif code in (0x0E, 0x16):
        fields[0], fields[1], fields[2], fields[3] = 0, 0, -1, 1
    else:
        fields[3] = 0
