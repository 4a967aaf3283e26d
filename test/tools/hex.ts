/** Golden bytes as hexadecimal text; white space may separate the digits. */

export function hexFormat(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function hexParse(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}
