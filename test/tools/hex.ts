/** Golden bytes as hexadecimal text; white space may separate the digits. */

export function hexFormat(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** @throws RangeError if a character is no digit, or a digit is left over. */
export function hexParse(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  const bytes = Uint8Array.from(Buffer.from(digits, 'hex'));
  if (bytes.length * 2 !== digits.length) throw new RangeError(`not hexadecimal: ${text}`);
  return bytes;
}
