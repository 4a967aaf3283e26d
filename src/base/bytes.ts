/**
 * Access to bytes in network order and in the host's. The callers' gates have checked the length; a
 * read outside the array is a mistake that shows as zero, never as an exception.
 */

/** Reads the 16-bit word at `offset`, network byte order. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

/** Reads the 32-bit word at `offset`, network byte order, as a number from 0 to 2^32 - 1. */
export function readU32(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset]! << 24) | (bytes[offset + 1]! << 16);
  return (high | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0;
}

/**
 * The same word as a signed number. An unsigned one above 2^31 may cost an object on the heap each
 * time it is returned (measured: 16 bytes a call); code that runs per frame reads this one.
 */
export function readI32(bytes: Uint8Array, offset: number): number {
  const high = (bytes[offset]! << 24) | (bytes[offset + 1]! << 16);
  return high | (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

/** Writes the low 16 bits of `value` at `offset`, network byte order. */
export function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

/** Writes the low 32 bits of `value` at `offset`, network byte order. */
export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reads the 16-bit word at `offset`, host byte order. */
export function readHostU16(bytes: Uint8Array, offset: number): number {
  return IS_LITTLE_ENDIAN ? bytes[offset]! | (bytes[offset + 1]! << 8) : readU16(bytes, offset);
}

/** Reads the 32-bit word at `offset`, host byte order, as a signed number. */
export function readHostI32(bytes: Uint8Array, offset: number): number {
  if (!IS_LITTLE_ENDIAN) return readI32(bytes, offset);
  const low = bytes[offset]! | (bytes[offset + 1]! << 8);
  return low | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24);
}

/** The same word as a number from 0 to 2^32 - 1. */
export function readHostU32(bytes: Uint8Array, offset: number): number {
  return readHostI32(bytes, offset) >>> 0;
}

/** Writes the low 16 bits of `value` at `offset`, host byte order. */
export function writeHostU16(bytes: Uint8Array, offset: number, value: number): void {
  writeU16(
    bytes,
    offset,
    IS_LITTLE_ENDIAN ? ((value & 0xff) << 8) | ((value >>> 8) & 0xff) : value,
  );
}

/** Writes the low 32 bits of `value` at `offset`, host byte order. */
export function writeHostU32(bytes: Uint8Array, offset: number, value: number): void {
  writeHostU16(bytes, offset, IS_LITTLE_ENDIAN ? value : value >>> 16);
  writeHostU16(bytes, offset + 2, IS_LITTLE_ENDIAN ? value >>> 16 : value);
}
